-- derived: view
CREATE OR REPLACE VIEW mart.dim_product_versions AS
SELECT simulation, product_id, product_name, brand, category, price_minor, currency,
    min(first_seen_at) AS first_seen_at,
    max(last_seen_at) AS last_seen_at
FROM mart.dim_product_versions_by_writer
GROUP BY simulation, product_id, product_name, brand, category, price_minor, currency;
-- end
-- derived: comments
COMMENT ON VIEW mart.dim_product_versions IS 'Products as they were offered: one row per state of name, brand, category and price.';
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
