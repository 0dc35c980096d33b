-- migrate:up
-- Counted as events are stored: to sort all of them took ten seconds for ten million.
CREATE TABLE ops.latency_buckets (
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    bucket integer NOT NULL,
    events bigint NOT NULL,
    PRIMARY KEY (run_id, bucket)
);
COMMENT ON TABLE ops.latency_buckets IS 'How many events took how long from event time to their row; buckets are 2 % wide.';
COMMENT ON COLUMN ops.latency_buckets.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.latency_buckets.run_id IS 'The run.';
COMMENT ON COLUMN ops.latency_buckets.bucket IS '50 times the natural logarithm of the seconds, rounded; a millisecond is the least.';
COMMENT ON COLUMN ops.latency_buckets.events IS 'Events that took about so long.';

INSERT INTO ops.latency_buckets (simulation, run_id, bucket, events)
SELECT
    min(simulation),
    run_id,
    round(50 * ln(greatest(extract(epoch FROM ingested_at - event_time)::float8, 0.001)))::integer,
    count(*)
FROM raw.events
GROUP BY 2, 3;

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
COMMENT ON VIEW ops.latency IS 'From event time to the row in raw.events, per run, to 2 %.';

-- migrate:down
CREATE OR REPLACE VIEW ops.latency AS
SELECT
    simulation,
    run_id,
    count(*) AS events,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99_seconds
FROM (
    SELECT simulation, run_id, extract(epoch FROM ingested_at - event_time)::float8 AS seconds
    FROM raw.events
) AS measured
GROUP BY simulation, run_id;
COMMENT ON VIEW ops.latency IS 'From event time to the row in raw.events, per run.';
DROP TABLE ops.latency_buckets;
