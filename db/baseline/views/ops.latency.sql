CREATE OR REPLACE VIEW ops.latency AS
SELECT
    simulation,
    run_id,
    sum(events)::bigint AS events,
    min(seconds) FILTER (WHERE up_to >= 0.50 * total) AS p50_seconds,
    min(seconds) FILTER (WHERE up_to >= 0.95 * total) AS p95_seconds,
    min(seconds) FILTER (WHERE up_to >= 0.99 * total) AS p99_seconds
FROM (
    SELECT
        simulation,
        run_id,
        events,
        exp(bucket::float8 / 50) AS seconds,
        sum(events) OVER (PARTITION BY run_id ORDER BY bucket) AS up_to,
        sum(events) OVER (PARTITION BY run_id) AS total
    FROM ops.latency_buckets
) AS counted
GROUP BY simulation, run_id;
COMMENT ON VIEW ops.latency IS 'Latency from event time to the row in raw.events, per run, accurate to 2 %.';
COMMENT ON COLUMN ops.latency.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.latency.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency.events IS 'Events measured.';
COMMENT ON COLUMN ops.latency.p50_seconds IS 'Half of the events were faster.';
COMMENT ON COLUMN ops.latency.p95_seconds IS '95 of 100 events were faster.';
COMMENT ON COLUMN ops.latency.p99_seconds IS '99 of 100 events were faster.';
