CREATE TABLE mart.product_pairs_by_writer (
    -- derived: columns
    simulation text NOT NULL,
    product_a text NOT NULL,
    product_b text NOT NULL,
    orders bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (simulation, product_a, product_b, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.product_pairs_by_writer IS 'mart.product_pairs by writer.';
COMMENT ON COLUMN mart.product_pairs_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.product_pairs_by_writer.product_a IS 'One product; the lesser by name.';
COMMENT ON COLUMN mart.product_pairs_by_writer.product_b IS 'The other.';
COMMENT ON COLUMN mart.product_pairs_by_writer.orders IS 'Orders with both.';
COMMENT ON COLUMN mart.product_pairs_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

-- Finds the pairs of a product that is the second of the pair.
CREATE INDEX product_pairs_b ON mart.product_pairs_by_writer (simulation, product_b);

GRANT INSERT, UPDATE ON mart.product_pairs_by_writer TO clickstream_writer;
