CREATE OR REPLACE VIEW ops.latency_buckets AS
SELECT simulation, run_id, bucket, sum(events)::bigint AS events
FROM ops.latency_buckets_by_writer
GROUP BY simulation, run_id, bucket;
COMMENT ON VIEW ops.latency_buckets IS 'Number of events by latency, from event time to their row; buckets are 2 % wide.';
COMMENT ON COLUMN ops.latency_buckets.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.latency_buckets.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency_buckets.bucket IS '50 times the natural logarithm of the seconds, rounded; a millisecond is the least.';
COMMENT ON COLUMN ops.latency_buckets.events IS 'Events with this latency.';
