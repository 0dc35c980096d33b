-- A rebuild that deletes an order deletes its lines.
CREATE TABLE mart.fact_order_items (
    -- derived: columns
    order_id uuid NOT NULL REFERENCES mart.fact_orders ON DELETE CASCADE,
    product_id text NOT NULL,
    category text NOT NULL,
    quantity integer NOT NULL,
    price_minor bigint NOT NULL,
    PRIMARY KEY (order_id, product_id)
    -- end
);
-- derived: comments
COMMENT ON TABLE mart.fact_order_items IS 'One row per line of an order.';
COMMENT ON COLUMN mart.fact_order_items.order_id IS 'The order.';
COMMENT ON COLUMN mart.fact_order_items.product_id IS 'The product.';
COMMENT ON COLUMN mart.fact_order_items.category IS 'Its category.';
COMMENT ON COLUMN mart.fact_order_items.quantity IS 'How many were bought. Unit: pieces.';
COMMENT ON COLUMN mart.fact_order_items.price_minor IS 'Price of one. Unit: minor units.';
-- end

-- DELETE: for the lines of an order that an earlier event replaces.
GRANT INSERT, DELETE ON mart.fact_order_items TO clickstream_writer;
