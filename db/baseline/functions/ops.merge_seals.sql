CREATE OR REPLACE FUNCTION ops.merge_seals(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    merged bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
    -- Sums of hashes can be added where the same columns of every table were hashed.
    WITH ranges AS (
        SELECT since, array_agg(columns::text ORDER BY relation) AS hashed
        FROM ops.seals WHERE until <= before_day::timestamp AT TIME ZONE 'UTC' GROUP BY since
    ), compared AS (
        SELECT since, hashed IS DISTINCT FROM lag(hashed) OVER (ORDER BY since) AS is_first
        FROM ranges
    ), islands AS (
        SELECT since, count(*) FILTER (WHERE is_first) OVER (ORDER BY since) AS island
        FROM compared
    ), firsts AS (
        SELECT since, min(since) OVER (PARTITION BY island) AS first FROM islands
    ), gone AS (
        DELETE FROM ops.seals AS one USING firsts
        WHERE one.since = firsts.since AND firsts.since > firsts.first
        RETURNING one.relation, firsts.first, one.until, one.rows, one.checksum
    ), sums AS (
        SELECT relation, first, max(until) AS until, sum(rows) AS rows, sum(checksum) AS checksum
        FROM gone GROUP BY relation, first
    ), widened AS (
        UPDATE ops.seals AS one SET until = sums.until, rows = one.rows + sums.rows,
            checksum = one.checksum + sums.checksum
        FROM sums WHERE one.relation = sums.relation AND one.since = sums.first
    )
    SELECT count(*) INTO merged FROM gone;
    RETURN merged;
END
$$;
COMMENT ON FUNCTION ops.merge_seals IS
    'Merges the seals of days before the given day, and returns the number of rows that it deleted from ops.seals.';
GRANT EXECUTE ON FUNCTION ops.merge_seals TO clickstream_writer;
