CREATE OR REPLACE VIEW mart.bought_together AS
SELECT pairs.simulation, pairs.product_id, pairs.other_product_id, pairs.orders
FROM (
    SELECT simulation, product_a AS product_id, product_b AS other_product_id, orders
    FROM mart.product_pairs
    UNION ALL
    SELECT simulation, product_b, product_a, orders FROM mart.product_pairs
) AS pairs;
COMMENT ON VIEW mart.bought_together IS 'Products bought together: each pair twice, once for each product.';
COMMENT ON COLUMN mart.bought_together.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.bought_together.product_id IS 'The product.';
COMMENT ON COLUMN mart.bought_together.other_product_id IS 'What was bought with it.';
COMMENT ON COLUMN mart.bought_together.orders IS 'Orders with both.';
