-- migrate:up
-- Roles are the cluster's, not the database's: they may be there already.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_owner') THEN
        CREATE ROLE clickstream_owner NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_writer') THEN
        CREATE ROLE clickstream_writer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_reader') THEN
        CREATE ROLE clickstream_reader NOLOGIN;
    END IF;
END
$$;

CREATE SCHEMA raw;
CREATE SCHEMA ops;
CREATE SCHEMA mart;
COMMENT ON SCHEMA raw IS 'Every event as it came: the audit trail.';
COMMENT ON SCHEMA ops IS 'What the pipeline knows of itself: rejects, the ledger, batches, runs.';
COMMENT ON SCHEMA mart IS 'What people ask the shop: sessions, orders, traffic, products.';

GRANT USAGE ON SCHEMA raw, ops, mart TO clickstream_writer, clickstream_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw, ops, mart
    GRANT SELECT ON TABLES TO clickstream_reader, clickstream_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw GRANT INSERT ON TABLES TO clickstream_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA ops, mart
    GRANT INSERT, UPDATE ON TABLES TO clickstream_writer;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- migrate:down
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw, ops, mart
    REVOKE ALL ON TABLES FROM clickstream_reader, clickstream_writer;
DROP SCHEMA mart;
DROP SCHEMA ops;
DROP SCHEMA raw;
