CREATE OR REPLACE FUNCTION ops.forget_minutes(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sealed record;
    gone bigint;
    forgotten bigint := 0;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    -- ops.drop_event_partitions() takes the same lock; batches and rebuilds share it.
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
    FOR sealed IN
        SELECT * FROM ops.seals
        WHERE relation = ANY (ARRAY['mart.traffic_minute', 'ops.quality_minute']) AND rows > 0
            AND until <= before_day::timestamp AT TIME ZONE 'UTC'
        FOR UPDATE
    LOOP
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM ops.sealed_rows(sealed.relation, sealed.columns, sealed.since, sealed.until)
                AS found
            WHERE (found.rows, found.checksum) = (sealed.rows, sealed.checksum)
        );
        IF sealed.relation = 'mart.traffic_minute' THEN
            DELETE FROM mart.traffic_minute_by_writer
            WHERE minute >= sealed.since AND minute < sealed.until;
        ELSE
            DELETE FROM ops.quality_minute_by_writer
            WHERE minute >= sealed.since AND minute < sealed.until AND rule IN (
                SELECT known.rule FROM ops.quality_rules AS known WHERE known.severity = 'flag'
            );
        END IF;
        GET DIAGNOSTICS gone = ROW_COUNT;
        forgotten := forgotten + gone;
        UPDATE ops.seals SET rows = 0, checksum = 0
        WHERE relation = sealed.relation AND since = sealed.since;
    END LOOP;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_minutes IS
    'Deletes the rows of minutes before the given day whose events are dropped, if their seals match, and returns their number.';
GRANT EXECUTE ON FUNCTION ops.forget_minutes TO clickstream_writer;
