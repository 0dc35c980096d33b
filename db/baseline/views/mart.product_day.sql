CREATE OR REPLACE VIEW mart.product_day AS
SELECT (hours.hour AT TIME ZONE 'UTC')::date AS day, hours.simulation, hours.product_id,
    -- derived: figures
    sum(view_item_events)::bigint AS views,
    sum(add_to_cart_events)::bigint AS carts,
    sum(orders)::bigint AS orders,
    sum(pieces)::bigint AS pieces,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    round(100.0 * sum(add_to_cart_events) / nullif(sum(view_item_events), 0), 2) AS view_to_cart_percent,
    round(100.0 * sum(orders) / nullif(sum(add_to_cart_events), 0), 2) AS cart_to_purchase_percent
    -- end
FROM mart.product_hour AS hours
GROUP BY 1, 2, 3;
COMMENT ON VIEW mart.product_day IS 'Views, carts and orders of each product, per day.';
COMMENT ON COLUMN mart.product_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.product_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_day.product_id IS 'The product.';
-- derived: comments
COMMENT ON COLUMN mart.product_day.views IS 'How often it was looked at.';
COMMENT ON COLUMN mart.product_day.carts IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.product_day.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.product_day.pieces IS 'How many were bought.';
COMMENT ON COLUMN mart.product_day.revenue IS 'Value of what was bought. In the currency of the simulation.';
COMMENT ON COLUMN mart.product_day.view_to_cart_percent IS 'Times put into a cart per 100 looks.';
COMMENT ON COLUMN mart.product_day.cart_to_purchase_percent IS 'Orders with it per 100 times put into a cart.';
-- end
