-- Counted as events are stored: sorting ten million latencies took ten seconds.
CREATE TABLE ops.latency_buckets_by_writer (
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    bucket integer NOT NULL,
    events bigint NOT NULL,
    seal bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (run_id, bucket, writer)
);
COMMENT ON TABLE ops.latency_buckets_by_writer IS 'ops.latency_buckets by writer.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.bucket IS '50 times the natural logarithm of the seconds, rounded; a millisecond is the least.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.events IS 'Events with this latency.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';
COMMENT ON COLUMN ops.latency_buckets_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.latency_buckets_by_writer
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.latency_buckets_by_writer TO clickstream_writer;
