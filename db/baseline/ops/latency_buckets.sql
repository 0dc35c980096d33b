-- Counted as events are stored: sorting ten million latencies took ten seconds.
CREATE TABLE ops.latency_buckets (
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    bucket integer NOT NULL,
    events bigint NOT NULL,
    seal bigint NOT NULL,
    PRIMARY KEY (run_id, bucket)
);
COMMENT ON TABLE ops.latency_buckets IS 'Number of events by latency, from event time to their row; buckets are 2 % wide.';
COMMENT ON COLUMN ops.latency_buckets.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.latency_buckets.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency_buckets.bucket IS '50 times the natural logarithm of the seconds, rounded; a millisecond is the least.';
COMMENT ON COLUMN ops.latency_buckets.events IS 'Events with this latency.';
COMMENT ON COLUMN ops.latency_buckets.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.latency_buckets
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.latency_buckets TO clickstream_writer;
