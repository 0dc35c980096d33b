-- Deletes only rows whose seal matches: a verification still has to report the others.
CREATE OR REPLACE FUNCTION ops.forget_rejects(before_day date, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
    PERFORM ops.refuse_open_days(before_day);
    WITH gone AS (
        DELETE FROM ops.rejected_events AS one
        WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ops.rejected_events AS old
            WHERE rejected_at < before_day::timestamp AT TIME ZONE 'UTC'
                AND seal = ops.seal_of(old)
            ORDER BY rejected_at LIMIT at_most FOR UPDATE
        ))
        RETURNING topic, kafka_partition, kafka_offset, reason, rule,
            date_trunc('minute', kafka_timestamp, 'UTC') AS minute
    ), counted AS (
        INSERT INTO ops.forgotten_rejects AS known
            (topic, kafka_partition, reason, until_offset, records)
        SELECT topic, kafka_partition, reason, max(kafka_offset) + 1, count(*)
        FROM gone GROUP BY topic, kafka_partition, reason
        ON CONFLICT (topic, kafka_partition, reason) DO UPDATE SET
            until_offset = greatest(known.until_offset, excluded.until_offset),
            records = known.records + excluded.records
        RETURNING 1
    ), minutes AS (
        SELECT minute, rule, count(*) AS records FROM gone GROUP BY minute, rule
    ), former AS (
        DELETE FROM ops.quality_minute_by_writer AS known USING minutes
        WHERE known.minute = minutes.minute AND known.rule = minutes.rule
        RETURNING known.minute, known.rule, known.records
    ), lowered AS (
        INSERT INTO ops.quality_minute_by_writer (minute, rule, records, writer)
        SELECT minute, rule, sum(former.records) - min(minutes.records), 0
        FROM former INNER JOIN minutes USING (minute, rule) GROUP BY minute, rule
        HAVING sum(former.records) <> min(minutes.records)
        RETURNING 1
    )
    SELECT count(*) INTO forgotten FROM gone;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_rejects IS
    'Deletes the oldest rejects from before the given day, at_most of them, counts them in ops.forgotten_rejects, and returns their number.';
GRANT EXECUTE ON FUNCTION ops.forget_rejects TO clickstream_writer;
