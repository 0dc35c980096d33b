CREATE TABLE mart.product_hour (
    -- derived: columns
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    product_id text NOT NULL,
    view_item_events bigint NOT NULL,
    add_to_cart_events bigint NOT NULL,
    remove_from_cart_events bigint NOT NULL,
    orders bigint NOT NULL,
    pieces bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    PRIMARY KEY (hour, simulation, product_id)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.product_hour IS 'What was looked at, put into carts and bought, per product and hour.';
COMMENT ON COLUMN mart.product_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.product_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_hour.product_id IS 'The product.';
COMMENT ON COLUMN mart.product_hour.view_item_events IS 'How often it was looked at.';
COMMENT ON COLUMN mart.product_hour.add_to_cart_events IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.product_hour.remove_from_cart_events IS 'How often it was taken out.';
COMMENT ON COLUMN mart.product_hour.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.product_hour.pieces IS 'How many were bought. Unit: pieces.';
COMMENT ON COLUMN mart.product_hour.revenue_minor IS 'Value of these. Unit: minor units.';
-- end

GRANT INSERT, UPDATE ON mart.product_hour TO clickstream_writer;
