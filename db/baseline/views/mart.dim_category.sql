CREATE OR REPLACE VIEW mart.dim_category AS
SELECT simulation, category, count(DISTINCT product_id) AS products
FROM mart.dim_product_versions
GROUP BY simulation, category;
COMMENT ON VIEW mart.dim_category IS 'Categories of the catalog.';
COMMENT ON COLUMN mart.dim_category.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.dim_category.category IS 'The category.';
COMMENT ON COLUMN mart.dim_category.products IS 'Products seen in it.';
