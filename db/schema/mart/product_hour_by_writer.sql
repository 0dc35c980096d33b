CREATE TABLE mart.product_hour_by_writer (
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
    writer integer NOT NULL,
    PRIMARY KEY (hour, simulation, product_id, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.product_hour_by_writer IS 'mart.product_hour by writer.';
COMMENT ON COLUMN mart.product_hour_by_writer.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.product_hour_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_hour_by_writer.product_id IS 'The product.';
COMMENT ON COLUMN mart.product_hour_by_writer.view_item_events IS 'How often it was looked at.';
COMMENT ON COLUMN mart.product_hour_by_writer.add_to_cart_events IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.product_hour_by_writer.remove_from_cart_events IS 'How often it was taken out.';
COMMENT ON COLUMN mart.product_hour_by_writer.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.product_hour_by_writer.pieces IS 'How many were bought. Unit: pieces.';
COMMENT ON COLUMN mart.product_hour_by_writer.revenue_minor IS 'Value of these. Unit: minor units.';
COMMENT ON COLUMN mart.product_hour_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.product_hour_by_writer TO clickstream_writer;
