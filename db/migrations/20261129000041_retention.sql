-- migrate:up
-- Rows that nobody needs any more are deleted, and what other checks need of them is added up before. A row whose seal is
-- broken is kept: a verification still has to report it.
CREATE INDEX rejected_events_rejected_at ON ops.rejected_events (rejected_at);

CREATE TABLE ops.forgotten_rejects (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    source text NOT NULL,
    reason text NOT NULL,
    until_offset bigint NOT NULL,
    records bigint NOT NULL,
    seal bigint NOT NULL,
    PRIMARY KEY (topic, kafka_partition, source, reason)
);
COMMENT ON TABLE ops.forgotten_rejects IS 'How many rejects were deleted once they were old.';
COMMENT ON COLUMN ops.forgotten_rejects.topic IS 'Topic they came in.';
COMMENT ON COLUMN ops.forgotten_rejects.kafka_partition IS 'Partition of that topic.';
COMMENT ON COLUMN ops.forgotten_rejects.source IS 'The first 18 characters of their keys, which name run and shard; empty if they name none that the ledger has.';
COMMENT ON COLUMN ops.forgotten_rejects.reason IS 'Why they were rejected.';
COMMENT ON COLUMN ops.forgotten_rejects.until_offset IS 'The offset after the last of them.';
COMMENT ON COLUMN ops.forgotten_rejects.records IS 'How many they were.';
COMMENT ON COLUMN ops.forgotten_rejects.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';
REVOKE INSERT, UPDATE ON ops.forgotten_rejects FROM clickstream_writer;

CREATE FUNCTION ops.seal_of(one ops.forgotten_rejects) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.topic, one.kafka_partition, one.source, one.reason, one.until_offset, one.records
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.forgotten_rejects) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.forgotten_rejects) TO PUBLIC;
CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.forgotten_rejects
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

CREATE FUNCTION ops.refuse_open_days(before_day date) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
END
$$;
COMMENT ON FUNCTION ops.refuse_open_days IS 'Raises an error if a day before the given one is not over.';

CREATE FUNCTION ops.forget_rejects(before_day date, at_most integer, prefixes text[]) RETURNS bigint
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
            date_trunc('minute', kafka_timestamp, 'UTC') AS minute,
            encode(substring(key FROM 1 FOR 18), 'escape') AS source
    ), counted AS (
        INSERT INTO ops.forgotten_rejects AS known
            (topic, kafka_partition, source, reason, until_offset, records)
        SELECT topic, kafka_partition,
            CASE WHEN left(source, 15) = ANY (prefixes) THEN source ELSE '' END AS source,
            reason, max(kafka_offset) + 1, count(*)
        FROM gone GROUP BY 1, 2, 3, 4
        ON CONFLICT (topic, kafka_partition, source, reason) DO UPDATE SET
            until_offset = greatest(known.until_offset, excluded.until_offset),
            records = known.records + excluded.records
        RETURNING 1
    ), minutes AS (
        SELECT minute, rule, count(*) AS records FROM gone GROUP BY minute, rule
    ), lowered AS (
        UPDATE ops.quality_minute AS known SET records = known.records - minutes.records
        FROM minutes
        WHERE known.minute = minutes.minute AND known.rule = minutes.rule
            AND known.records <> minutes.records
        RETURNING 1
    ), emptied AS (
        DELETE FROM ops.quality_minute AS known USING minutes
        WHERE known.minute = minutes.minute AND known.rule = minutes.rule
            AND known.records = minutes.records
        RETURNING 1
    )
    SELECT count(*) INTO forgotten FROM gone;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_rejects IS
    'Deletes the oldest rejects from before one day, so many at most, counts them in ops.forgotten_rejects, and returns how many they were.';

CREATE FUNCTION ops.forget_verifications(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    WITH gone AS (
        DELETE FROM ops.verifications AS one
        WHERE verified_at < before_day::timestamp AT TIME ZONE 'UTC' AND seal = ops.seal_of(one)
        RETURNING seal
    ), counted AS (SELECT count(*) AS rows, coalesce(bit_xor(seal), 0) AS seals FROM gone)
    UPDATE ops.histories AS known
    SET rows = known.rows - counted.rows, seals = known.seals # counted.seals
    FROM counted WHERE relation = 'ops.verifications'
    RETURNING counted.rows INTO forgotten;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_verifications IS
    'Deletes the verifications from before one day, and returns how many they were.';

CREATE FUNCTION ops.forget_minutes(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sealed record;
    gone bigint;
    forgotten bigint := 0;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    -- Who seals days waits, and so does a rebuild.
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
            DELETE FROM mart.traffic_minute
            WHERE minute >= sealed.since AND minute < sealed.until;
        ELSE
            DELETE FROM ops.quality_minute
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
    'Deletes rows of minutes before one day whose events are dropped, if their seals hold, and returns how many they were.';

CREATE FUNCTION ops.forget_latencies(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    DELETE FROM ops.latency_buckets AS one
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
    'Deletes the latencies of runs that were closed before one day and whose events are dropped, and returns how many rows they were.';

CREATE FUNCTION ops.merge_seals(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    merged bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
    -- Sums of hashes add up, where the same columns were hashed in every table.
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
    'Puts the seals of days before one day together, and returns how many rows ops.seals has less.';

GRANT EXECUTE ON FUNCTION ops.forget_rejects, ops.forget_verifications, ops.forget_minutes, ops.forget_latencies,
    ops.merge_seals TO clickstream_writer;

-- migrate:down
DROP FUNCTION ops.merge_seals;
DROP FUNCTION ops.forget_latencies;
DROP FUNCTION ops.forget_minutes;
DROP FUNCTION ops.forget_verifications;
DROP FUNCTION ops.forget_rejects;
DROP FUNCTION ops.refuse_open_days;
DROP FUNCTION ops.seal_of(ops.forgotten_rejects);
DROP TABLE ops.forgotten_rejects;
DROP INDEX ops.rejected_events_rejected_at;
