CREATE SCHEMA mart;
COMMENT ON SCHEMA mart IS 'What people ask about the shop: sessions, orders, traffic, products.';

GRANT USAGE ON SCHEMA mart TO clickstream_writer, clickstream_reader, clickstream_student;
-- Each table's file grants what the writer may change. A simple view is as good as its table, so
-- the writer may change no view.
ALTER DEFAULT PRIVILEGES IN SCHEMA mart
    GRANT SELECT ON TABLES TO clickstream_reader, clickstream_writer, clickstream_student;
