CREATE OR REPLACE VIEW mart.top_products AS
SELECT simulation, product_id, product.product_name, product.category, total.views, total.carts,
    total.orders, total.pieces, total.revenue, total.view_to_cart_percent,
    total.cart_to_purchase_percent
FROM (
    SELECT hours.simulation, hours.product_id,
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
    GROUP BY hours.simulation, hours.product_id
) AS total
LEFT JOIN mart.dim_product AS product USING (simulation, product_id);
COMMENT ON VIEW mart.top_products IS 'Products with what was looked at, put into carts and bought.';
COMMENT ON COLUMN mart.top_products.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.top_products.product_id IS 'The product.';
COMMENT ON COLUMN mart.top_products.product_name IS 'Its name.';
COMMENT ON COLUMN mart.top_products.category IS 'Its category.';
-- derived: comments
COMMENT ON COLUMN mart.top_products.views IS 'How often it was looked at.';
COMMENT ON COLUMN mart.top_products.carts IS 'How often it was put into a cart.';
COMMENT ON COLUMN mart.top_products.orders IS 'Orders with it.';
COMMENT ON COLUMN mart.top_products.pieces IS 'How many were bought.';
COMMENT ON COLUMN mart.top_products.revenue IS 'Value of what was bought. In the currency of the simulation.';
COMMENT ON COLUMN mart.top_products.view_to_cart_percent IS 'Times put into a cart per 100 looks.';
COMMENT ON COLUMN mart.top_products.cart_to_purchase_percent IS 'Orders with it per 100 times put into a cart.';
-- end
