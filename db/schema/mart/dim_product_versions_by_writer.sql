CREATE TABLE mart.dim_product_versions_by_writer (
    -- derived: columns
    simulation text NOT NULL,
    product_id text NOT NULL,
    product_name text NOT NULL,
    brand text NOT NULL,
    category text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (simulation, product_id, product_name, brand, category, price_minor, currency, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.dim_product_versions_by_writer IS 'mart.dim_product_versions by writer.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.product_id IS 'The product.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.product_name IS 'Its name.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.brand IS 'Its brand.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.category IS 'Its category.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.price_minor IS 'Price of one. Unit: minor units.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.first_seen_at IS 'When this state was first seen.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.last_seen_at IS 'When this state was last seen.';
COMMENT ON COLUMN mart.dim_product_versions_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.dim_product_versions_by_writer TO clickstream_writer;
