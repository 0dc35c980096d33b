-- derived: view
CREATE OR REPLACE VIEW mart.product_pairs AS
SELECT simulation, product_a, product_b,
    sum(orders)::bigint AS orders
FROM mart.product_pairs_by_writer
GROUP BY simulation, product_a, product_b;
-- end
-- derived: comments
COMMENT ON VIEW mart.product_pairs IS 'Bought together: pairs of products in one order.';
COMMENT ON COLUMN mart.product_pairs.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_pairs.product_a IS 'One product; the lesser by name.';
COMMENT ON COLUMN mart.product_pairs.product_b IS 'The other.';
COMMENT ON COLUMN mart.product_pairs.orders IS 'Orders with both.';
-- end
