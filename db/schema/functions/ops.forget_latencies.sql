CREATE OR REPLACE FUNCTION ops.forget_latencies(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    DELETE FROM ops.latency_buckets_by_writer AS one
    USING (
        SELECT run_id FROM ops.runs INNER JOIN ops.shards USING (run_id)
        WHERE closed_at < before_day::timestamp AT TIME ZONE 'UTC'
        GROUP BY run_id HAVING sum(stored_events) = sum(dropped_events)
    ) AS gone
    WHERE one.run_id = gone.run_id AND one.seal = ops.seal_of(one);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_latencies IS
    'Deletes the latencies of runs that were closed before the given day and whose events are dropped, and returns the number of rows.';
GRANT EXECUTE ON FUNCTION ops.forget_latencies TO clickstream_writer;
