CREATE SCHEMA raw;
COMMENT ON SCHEMA raw IS 'Every event as it came: the audit trail.';

GRANT USAGE ON SCHEMA raw TO clickstream_writer, clickstream_reader, clickstream_student;
-- INSERT: for the daily partitions of raw.events.
ALTER DEFAULT PRIVILEGES IN SCHEMA raw
    GRANT SELECT ON TABLES TO clickstream_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw
    GRANT SELECT, INSERT ON TABLES TO clickstream_writer;
ALTER DEFAULT PRIVILEGES IN SCHEMA raw
    GRANT SELECT ON TABLES TO clickstream_student;
