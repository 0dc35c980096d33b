CREATE TABLE mart.product_pairs (
    -- derived: columns
    simulation text NOT NULL,
    product_a text NOT NULL,
    product_b text NOT NULL,
    orders bigint NOT NULL,
    PRIMARY KEY (simulation, product_a, product_b)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.product_pairs IS 'Bought together: pairs of products in one order.';
COMMENT ON COLUMN mart.product_pairs.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_pairs.product_a IS 'One product; the lesser by name.';
COMMENT ON COLUMN mart.product_pairs.product_b IS 'The other.';
COMMENT ON COLUMN mart.product_pairs.orders IS 'Orders with both.';
-- end

-- Finds the pairs of a product that is the second of the pair.
CREATE INDEX product_pairs_b ON mart.product_pairs (simulation, product_b);

GRANT INSERT, UPDATE ON mart.product_pairs TO clickstream_writer;
