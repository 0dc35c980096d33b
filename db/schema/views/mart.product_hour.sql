-- derived: view
CREATE OR REPLACE VIEW mart.product_hour AS
SELECT hour, simulation, product_id,
    sum(view_item_events)::bigint AS view_item_events,
    sum(add_to_cart_events)::bigint AS add_to_cart_events,
    sum(remove_from_cart_events)::bigint AS remove_from_cart_events,
    sum(orders)::bigint AS orders,
    sum(pieces)::bigint AS pieces,
    sum(revenue_minor)::bigint AS revenue_minor
FROM mart.product_hour_by_writer
GROUP BY hour, simulation, product_id;
-- end
-- derived: comments
COMMENT ON VIEW mart.product_hour IS 'What was looked at, put into carts and bought, per product and hour.';
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
