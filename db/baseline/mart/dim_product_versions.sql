CREATE TABLE mart.dim_product_versions (
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
    PRIMARY KEY (simulation, product_id, product_name, brand, category, price_minor, currency)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.dim_product_versions IS 'Products as they were offered: one row per state of name, brand, category and price.';
COMMENT ON COLUMN mart.dim_product_versions.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_product_versions.product_id IS 'The product.';
COMMENT ON COLUMN mart.dim_product_versions.product_name IS 'Its name.';
COMMENT ON COLUMN mart.dim_product_versions.brand IS 'Its brand.';
COMMENT ON COLUMN mart.dim_product_versions.category IS 'Its category.';
COMMENT ON COLUMN mart.dim_product_versions.price_minor IS 'Price of one. Unit: minor units.';
COMMENT ON COLUMN mart.dim_product_versions.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN mart.dim_product_versions.first_seen_at IS 'When this state was first seen.';
COMMENT ON COLUMN mart.dim_product_versions.last_seen_at IS 'When this state was last seen.';
-- end

GRANT INSERT, UPDATE ON mart.dim_product_versions TO clickstream_writer;
