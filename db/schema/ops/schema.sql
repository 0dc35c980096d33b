CREATE SCHEMA ops;
COMMENT ON SCHEMA ops IS 'What the pipeline records about itself: rejects, the ledger, batches, runs.';

-- clickstream_student has no right here: runs have the truth that exercises ask for.
GRANT USAGE ON SCHEMA ops TO clickstream_writer, clickstream_reader, clickstream_verifier;
-- Each table's file grants what the writer may change. A simple view is as good as its table, so
-- the writer may change no view.
ALTER DEFAULT PRIVILEGES IN SCHEMA ops
    GRANT SELECT ON TABLES TO clickstream_reader, clickstream_writer;
