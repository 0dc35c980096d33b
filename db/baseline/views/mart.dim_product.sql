CREATE OR REPLACE VIEW mart.dim_product AS
SELECT DISTINCT ON (simulation, product_id)
    simulation, product_id, product_name, brand, category, price_minor, currency,
    first_seen_at AS valid_from
FROM mart.dim_product_versions
ORDER BY simulation, product_id, last_seen_at DESC, first_seen_at DESC;
COMMENT ON VIEW mart.dim_product IS 'Products as they are offered now.';
COMMENT ON COLUMN mart.dim_product.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_product.product_id IS 'The product.';
COMMENT ON COLUMN mart.dim_product.product_name IS 'Its name.';
COMMENT ON COLUMN mart.dim_product.brand IS 'Its brand.';
COMMENT ON COLUMN mart.dim_product.category IS 'Its category.';
COMMENT ON COLUMN mart.dim_product.price_minor IS 'Price of one. Unit: minor units.';
COMMENT ON COLUMN mart.dim_product.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN mart.dim_product.valid_from IS 'When this state was first seen.';
