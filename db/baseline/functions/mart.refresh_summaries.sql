-- Summary tables are small and depend on many rows: computing them as a whole now and then costs
-- less than updating them with every batch. The writer may call this function, and cannot change
-- the summary tables itself.
CREATE OR REPLACE FUNCTION mart.refresh_summaries() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz;
    kept_since date;
BEGIN
    -- The rows are the stream's, whichever database session calls this. SET in the function's
    -- header would need a superuser; a setting of the transaction does not.
    PERFORM set_config('clickstream.seals', 'on', true);
    PERFORM pg_advisory_xact_lock(hashtext('mart.refresh_summaries'));
    began := clock_timestamp();
    DELETE FROM mart.cohort_day;
    INSERT INTO mart.cohort_day (simulation, cohort_day, day, visitors)
    SELECT simulation, cohort_day, day, visitors FROM ops.cohort_day_definition;
    INSERT INTO ops.summary_refreshes (summary_table, computed_at, seconds)
    VALUES ('mart.cohort_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (summary_table) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;

    began := clock_timestamp();
    -- Sessions that began on a dropped day, or on the day after, can no longer be computed from
    -- events.
    SELECT (max_event_time AT TIME ZONE 'UTC')::date INTO kept_since
    FROM ops.progress WHERE query = 'retention';
    kept_since := coalesce(kept_since, '-infinity');
    DELETE FROM mart.sessionization_day WHERE day > kept_since;
    INSERT INTO mart.sessionization_day (
        day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
        true_converted, rule_converted
    )
    SELECT day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
        true_converted, rule_converted
    FROM ops.sessionization_day_definition WHERE day > kept_since;
    INSERT INTO ops.summary_refreshes (summary_table, computed_at, seconds)
    VALUES ('mart.sessionization_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (summary_table) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;
END
$$;
COMMENT ON FUNCTION mart.refresh_summaries IS
    'Computes the summary tables mart.cohort_day and mart.sessionization_day.';
GRANT EXECUTE ON FUNCTION mart.refresh_summaries TO clickstream_writer;
