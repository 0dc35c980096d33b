-- migrate:up
-- What each batch did with the records that it read; null for batches of a stream that did not count.
ALTER TABLE ops.batches ADD COLUMN stored_events bigint;
ALTER TABLE ops.batches ADD COLUMN known_events bigint;
ALTER TABLE ops.batches ADD COLUMN rejected_records bigint;
ALTER TABLE ops.batches ADD COLUMN ledger_records bigint;
ALTER TABLE ops.batches ADD COLUMN late_events bigint;
COMMENT ON COLUMN ops.batches.stored_events IS 'Events that were new; null in batches from before they were counted.';
COMMENT ON COLUMN ops.batches.known_events IS 'Events that were stored before.';
COMMENT ON COLUMN ops.batches.rejected_records IS 'Records that are no events.';
COMMENT ON COLUMN ops.batches.ledger_records IS 'Records of the ledger.';
COMMENT ON COLUMN ops.batches.late_events IS 'New events behind the watermark.';

CREATE TABLE ops.forgotten_batches (
    query text NOT NULL,
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    from_offset bigint NOT NULL,
    until_offset bigint NOT NULL,
    stored_events bigint NOT NULL,
    known_events bigint NOT NULL,
    rejected_records bigint NOT NULL,
    ledger_records bigint NOT NULL,
    late_events bigint NOT NULL,
    PRIMARY KEY (query, topic, kafka_partition)
);
COMMENT ON TABLE ops.forgotten_batches IS 'What the batches that ops.batches no longer holds did, per partition.';
COMMENT ON COLUMN ops.forgotten_batches.query IS 'The streaming query.';
COMMENT ON COLUMN ops.forgotten_batches.topic IS 'The topic.';
COMMENT ON COLUMN ops.forgotten_batches.kafka_partition IS 'Its partition.';
COMMENT ON COLUMN ops.forgotten_batches.from_offset IS 'The offset from which these batches were counted.';
COMMENT ON COLUMN ops.forgotten_batches.until_offset IS 'The offset up to which, without it, they read.';
COMMENT ON COLUMN ops.forgotten_batches.stored_events IS 'Events that were new.';
COMMENT ON COLUMN ops.forgotten_batches.known_events IS 'Events that were stored before.';
COMMENT ON COLUMN ops.forgotten_batches.rejected_records IS 'Records that are no events.';
COMMENT ON COLUMN ops.forgotten_batches.ledger_records IS 'Records of the ledger.';
COMMENT ON COLUMN ops.forgotten_batches.late_events IS 'New events behind the watermark.';

-- Batches from before are not counted: what is counted begins where they end.
INSERT INTO ops.forgotten_batches
SELECT query, topic, kafka_partition, max(until_offset), max(until_offset), 0, 0, 0, 0, 0
FROM ops.batches GROUP BY query, topic, kafka_partition;

CREATE OR REPLACE FUNCTION ops.forget_batches(kept integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH forgotten AS (
        DELETE FROM ops.batches AS old
        USING (
            SELECT query, checkpoint_id, topic, kafka_partition, max(batch_id) AS last
            FROM ops.batches GROUP BY query, checkpoint_id, topic, kafka_partition
        ) AS newest
        WHERE kept >= 100 AND old.query = newest.query AND old.checkpoint_id = newest.checkpoint_id
            AND old.topic = newest.topic AND old.kafka_partition = newest.kafka_partition
            AND old.batch_id < newest.last - kept
        RETURNING old.*
    )
    -- What is counted has no gap: batches that did not count, or that were deleted, let it begin again.
    INSERT INTO ops.forgotten_batches AS known
    SELECT query, topic, kafka_partition,
        min(coalesce(from_offset, until_offset - stored_events - known_events - rejected_records
            - ledger_records)),
        max(until_offset), sum(stored_events), sum(known_events), sum(rejected_records),
        sum(ledger_records), sum(late_events)
    FROM forgotten WHERE stored_events IS NOT NULL
    GROUP BY query, topic, kafka_partition
    ON CONFLICT (query, topic, kafka_partition) DO UPDATE SET (
        from_offset, until_offset, stored_events, known_events, rejected_records, ledger_records,
        late_events
    ) = (
        SELECT min(one.from_offset), max(one.until_offset), sum(one.stored_events),
            sum(one.known_events), sum(one.rejected_records), sum(one.ledger_records),
            sum(one.late_events)
        FROM (SELECT known.* UNION ALL SELECT excluded.*) AS one
        WHERE excluded.from_offset = known.until_offset OR one.from_offset = excluded.from_offset
    )
$$;

-- The definitions of the summary tables: they are computed from these, and verified by them.
CREATE VIEW ops.cohort_day_definition AS
SELECT seen.simulation, (users.first_seen_at AT TIME ZONE 'UTC')::date AS cohort_day, seen.day,
    count(*) AS visitors
FROM mart.user_day AS seen
INNER JOIN mart.dim_user AS users USING (simulation, user_id)
GROUP BY 1, 2, 3;
COMMENT ON VIEW ops.cohort_day_definition IS 'What mart.cohort_day holds once it is computed.';

-- Only a visit longer than the pause can hold one: only these are looked at event by event.
CREATE VIEW ops.sessionization_day_definition AS
WITH long AS (
    SELECT session_id, started_at, last_event_at FROM mart.visits
    WHERE last_event_at - started_at > interval '30 minutes'
), stretches AS (
    SELECT simulation, user_id, started_at AS from_time, last_event_at AS until_time,
        purchase_events > 0 AS bought, true AS is_beginning
    FROM mart.visits
    WHERE last_event_at - started_at <= interval '30 minutes'
    UNION ALL
    SELECT simulation, user_id, min(event_time), max(event_time),
        bool_or(event_name = 'purchase'), stretch = 0
    FROM (
        SELECT simulation, user_id, session_id, event_time, event_name,
            count(*) FILTER (WHERE is_pause) OVER visit AS stretch
        FROM (
            SELECT events.simulation, events.user_id, events.session_id, events.event_time,
                events.event_name, events.session_seq,
                events.event_time - lag(events.event_time) OVER (
                    PARTITION BY events.session_id ORDER BY events.session_seq
                ) > interval '30 minutes' AS is_pause
            FROM raw.events AS events
            INNER JOIN long USING (session_id)
            WHERE events.event_time
                BETWEEN (SELECT min(started_at) FROM long)
                AND (SELECT max(last_event_at) FROM long)
        ) AS steps
        WINDOW visit AS (PARTITION BY session_id ORDER BY session_seq)
    ) AS numbered
    GROUP BY simulation, user_id, session_id, stretch
), judged AS (
    SELECT simulation, user_id, from_time, bought, is_beginning,
        from_time - max(until_time) OVER (
            PARTITION BY simulation, user_id ORDER BY from_time, until_time
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) <= interval '30 minutes' IS TRUE AS is_joined
    FROM stretches
), rule AS (
    SELECT simulation, user_id, from_time, bought, is_beginning, is_joined,
        count(*) FILTER (WHERE NOT is_joined) OVER (
            PARTITION BY simulation, user_id ORDER BY from_time ROWS UNBOUNDED PRECEDING
        ) AS number
    FROM judged
), found AS (
    SELECT simulation, (min(from_time) AT TIME ZONE 'UTC')::date AS day,
        bool_or(bought) AS bought
    FROM rule GROUP BY simulation, user_id, number
), found_day AS (
    SELECT simulation, day, count(*) AS sessions, count(*) FILTER (WHERE bought) AS converted
    FROM found GROUP BY simulation, day
), true_day AS (
    SELECT simulation, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sessions,
        count(*) FILTER (WHERE purchase_events > 0) AS converted
    FROM mart.visits GROUP BY 1, 2
), boundaries AS (
    SELECT simulation, (from_time AT TIME ZONE 'UTC')::date AS day,
        count(*) FILTER (WHERE is_beginning AND is_joined) AS joined,
        count(*) FILTER (WHERE NOT is_beginning AND NOT is_joined) AS split
    FROM rule GROUP BY 1, 2
)
SELECT
    day,
    simulation,
    coalesce(true_day.sessions, 0) AS true_sessions,
    coalesce(found_day.sessions, 0) AS rule_sessions,
    coalesce(joined, 0) AS joined_boundaries,
    coalesce(split, 0) AS split_boundaries,
    coalesce(true_day.converted, 0) AS true_converted,
    coalesce(found_day.converted, 0) AS rule_converted
FROM true_day
FULL JOIN found_day USING (simulation, day)
FULL JOIN boundaries USING (simulation, day);
COMMENT ON VIEW ops.sessionization_day_definition IS 'What mart.sessionization_day holds once it is computed.';
COMMENT ON COLUMN ops.cohort_day_definition.simulation IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.cohort_day IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.day IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.visitors IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.day IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.simulation IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.true_sessions IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.rule_sessions IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.joined_boundaries IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.split_boundaries IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.true_converted IS 'As in mart.sessionization_day.';
COMMENT ON COLUMN ops.sessionization_day_definition.rule_converted IS 'As in mart.sessionization_day.';

CREATE OR REPLACE FUNCTION mart.compute_boards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    began timestamptz;
    kept_since date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mart.compute_boards'));
    began := clock_timestamp();
    DELETE FROM mart.cohort_day;
    INSERT INTO mart.cohort_day (simulation, cohort_day, day, visitors)
    SELECT simulation, cohort_day, day, visitors FROM ops.cohort_day_definition;
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.cohort_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;

    began := clock_timestamp();
    -- Sessions that began on a dropped day, or on the day after, can no longer be told apart.
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
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.sessionization_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;
END
$$;

-- Retention drops the events that rows of marts follow from. What those rows say by then is sealed:
-- number and checksum of the rows of the days that go, per table.
CREATE TABLE ops.seals (
    relation text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    columns text[] NOT NULL,
    rows bigint NOT NULL,
    checksum numeric NOT NULL,
    PRIMARY KEY (relation, since)
);
COMMENT ON TABLE ops.seals IS 'What tables said of days when retention dropped their events.';
COMMENT ON COLUMN ops.seals.relation IS 'The table.';
COMMENT ON COLUMN ops.seals.since IS 'The first day, its start; -infinity for all days before.';
COMMENT ON COLUMN ops.seals.until IS 'The day before which it ends, its start.';
COMMENT ON COLUMN ops.seals.columns IS 'The columns that are sealed.';
COMMENT ON COLUMN ops.seals.rows IS 'Rows of these days.';
COMMENT ON COLUMN ops.seals.checksum IS 'Sum of the hashes of these rows.';

CREATE FUNCTION ops.sealed_rows(
    relation text, columns text[], since timestamptz, until timestamptz,
    OUT rows bigint, OUT checksum numeric
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
    moment text := CASE relation
        WHEN 'mart.traffic_minute' THEN 'minute'
        WHEN 'mart.traffic_hour' THEN 'hour'
        WHEN 'mart.traffic_day' THEN 'day'
        WHEN 'mart.product_hour' THEN 'hour'
        WHEN 'mart.fact_orders' THEN 'ordered_at'
        WHEN 'mart.fact_order_items' THEN '(SELECT bought.ordered_at FROM mart.fact_orders AS bought'
            ' WHERE bought.order_id = one.order_id)'
        WHEN 'mart.visits' THEN 'last_event_at'
        WHEN 'mart.user_day' THEN 'day::timestamp'
        -- The first day that is kept had sessions that began before it.
        WHEN 'mart.sessionization_day' THEN '(day - 1)::timestamp'
        WHEN 'mart.dim_product_versions' THEN 'first_seen_at'
        WHEN 'ops.quality_minute' THEN 'minute'
        WHEN 'ops.ledger' THEN 'minute'
    END;
    -- Rejects are kept, and counted whatever their day.
    which text := CASE relation
        WHEN 'ops.quality_minute' THEN 'rule IN (SELECT known.rule FROM ops.quality_rules AS known'
            ' WHERE known.severity = ''flag'')'
        ELSE 'true'
    END;
BEGIN
    -- A seal of what is not there has no rows, not even none.
    IF moment IS NULL OR EXISTS (
        SELECT FROM unnest(columns) AS wanted WHERE NOT EXISTS (
            SELECT FROM pg_attribute WHERE attrelid = relation::regclass AND attname = wanted
        )
    ) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT count(*), coalesce(sum(hashtextextended(row(%s)::text, 0)::numeric), 0)'
        ' FROM %s AS one WHERE %s >= $1 AND %s < $2 AND %s',
        (SELECT string_agg(quote_ident(name), ', ') FROM unnest(columns) AS name),
        relation, moment, moment, which
    ) INTO rows, checksum USING since, until;
END
$$;
COMMENT ON FUNCTION ops.sealed_rows IS
    'Returns how many rows a table has of some days, and the sum of their hashes.';
GRANT EXECUTE ON FUNCTION ops.sealed_rows TO clickstream_writer, clickstream_reader;

CREATE FUNCTION ops.seal_days(first timestamptz, before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    INSERT INTO ops.seals (relation, since, until, columns, rows, checksum)
    SELECT part.name, first, before, part.columns, sealed.rows, sealed.checksum
    FROM (
        SELECT tables.name, array_agg(attname::text ORDER BY attnum) AS columns
        FROM unnest(ARRAY[
            'mart.traffic_minute', 'mart.traffic_hour', 'mart.traffic_day', 'mart.product_hour',
            'mart.fact_orders', 'mart.fact_order_items', 'mart.visits', 'mart.user_day',
            'mart.sessionization_day', 'mart.dim_product_versions', 'ops.quality_minute',
            'ops.ledger'
        ]) AS tables (name)
        INNER JOIN pg_attribute ON attrelid = tables.name::regclass AND attnum > 0
            AND NOT attisdropped
        -- Products are seen again; a generator that goes on repeats old minutes, with its figures
        -- of now beside them.
        WHERE (tables.name, attname) NOT IN (
            ('mart.dim_product_versions', 'last_seen_at'), ('ops.ledger', 'shard_seq'),
            ('ops.ledger', 'records_sent'), ('ops.ledger', 'records_acknowledged'),
            ('ops.ledger', 'sessions_open'), ('ops.ledger', 'target_milli_per_second'),
            ('ops.ledger', 'read_at')
        )
        GROUP BY tables.name
    ) AS part, LATERAL ops.sealed_rows(part.name, part.columns, first, before) AS sealed
    WHERE first < before
$$;
COMMENT ON FUNCTION ops.seal_days IS 'Seals what tables say of days that retention drops.';

CREATE FUNCTION ops.seal_dropped_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM ops.seal_days(coalesce(old.max_event_time, '-infinity'), new.max_event_time);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION ops.seal_dropped_days IS 'Calls ops.seal_days when days are dropped.';
CREATE TRIGGER seal_first_days AFTER INSERT ON ops.progress
    FOR EACH ROW WHEN (new.query = 'retention') EXECUTE FUNCTION ops.seal_dropped_days();
CREATE TRIGGER seal_more_days AFTER UPDATE OF max_event_time ON ops.progress
    FOR EACH ROW WHEN (new.query = 'retention') EXECUTE FUNCTION ops.seal_dropped_days();

-- When a ledger record was read: events that came long before it must be in it.
ALTER TABLE ops.ledger ADD COLUMN read_at timestamptz NOT NULL DEFAULT clock_timestamp();
COMMENT ON COLUMN ops.ledger.read_at IS 'When the stream read the last record of this minute.';

-- Days that were dropped before there were seals.
SELECT ops.seal_days('-infinity', max_event_time) FROM ops.progress WHERE query = 'retention';

-- migrate:down
ALTER TABLE ops.ledger DROP COLUMN read_at;
DROP TRIGGER seal_first_days ON ops.progress;
DROP TRIGGER seal_more_days ON ops.progress;
DROP FUNCTION ops.seal_dropped_days;
DROP FUNCTION ops.seal_days;
DROP FUNCTION ops.sealed_rows;
DROP TABLE ops.seals;
CREATE OR REPLACE FUNCTION mart.compute_boards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    began timestamptz;
    kept_since date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('mart.compute_boards'));
    began := clock_timestamp();
    DELETE FROM mart.cohort_day;
    INSERT INTO mart.cohort_day (simulation, cohort_day, day, visitors)
    SELECT seen.simulation, (users.first_seen_at AT TIME ZONE 'UTC')::date, seen.day, count(*)
    FROM mart.user_day AS seen
    INNER JOIN mart.dim_user AS users USING (simulation, user_id)
    GROUP BY 1, 2, 3;
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.cohort_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;

    began := clock_timestamp();
    -- What has begun on a dropped day, or on the day after, cannot be told apart any more.
    SELECT (max_event_time AT TIME ZONE 'UTC')::date INTO kept_since
    FROM ops.progress WHERE query = 'retention';
    kept_since := coalesce(kept_since, '-infinity');
    DELETE FROM mart.sessionization_day WHERE day > kept_since;
    -- Only a visit longer than the pause can hold one: only these are looked at event by event.
    INSERT INTO mart.sessionization_day (
        day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
        true_converted, rule_converted
    )
    WITH long AS (
        SELECT session_id, started_at, last_event_at FROM mart.visits
        WHERE last_event_at - started_at > interval '30 minutes'
    ), stretches AS (
        SELECT simulation, user_id, started_at AS from_time, last_event_at AS until_time,
            purchase_events > 0 AS bought, true AS is_beginning
        FROM mart.visits
        WHERE last_event_at - started_at <= interval '30 minutes'
        UNION ALL
        SELECT simulation, user_id, min(event_time), max(event_time),
            bool_or(event_name = 'purchase'), stretch = 0
        FROM (
            SELECT simulation, user_id, session_id, event_time, event_name,
                count(*) FILTER (WHERE is_pause) OVER visit AS stretch
            FROM (
                SELECT events.simulation, events.user_id, events.session_id, events.event_time,
                    events.event_name, events.session_seq,
                    events.event_time - lag(events.event_time) OVER (
                        PARTITION BY events.session_id ORDER BY events.session_seq
                    ) > interval '30 minutes' AS is_pause
                FROM raw.events AS events
                INNER JOIN long USING (session_id)
                WHERE events.event_time
                    BETWEEN (SELECT min(started_at) FROM long)
                    AND (SELECT max(last_event_at) FROM long)
            ) AS steps
            WINDOW visit AS (PARTITION BY session_id ORDER BY session_seq)
        ) AS numbered
        GROUP BY simulation, user_id, session_id, stretch
    ), judged AS (
        SELECT simulation, user_id, from_time, bought, is_beginning,
            from_time - max(until_time) OVER (
                PARTITION BY simulation, user_id ORDER BY from_time, until_time
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) <= interval '30 minutes' IS TRUE AS is_joined
        FROM stretches
    ), rule AS (
        SELECT simulation, user_id, from_time, bought, is_beginning, is_joined,
            count(*) FILTER (WHERE NOT is_joined) OVER (
                PARTITION BY simulation, user_id ORDER BY from_time ROWS UNBOUNDED PRECEDING
            ) AS number
        FROM judged
    ), found AS (
        SELECT simulation, (min(from_time) AT TIME ZONE 'UTC')::date AS day,
            bool_or(bought) AS bought
        FROM rule GROUP BY simulation, user_id, number
    ), found_day AS (
        SELECT simulation, day, count(*) AS sessions, count(*) FILTER (WHERE bought) AS converted
        FROM found GROUP BY simulation, day
    ), true_day AS (
        SELECT simulation, (started_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sessions,
            count(*) FILTER (WHERE purchase_events > 0) AS converted
        FROM mart.visits GROUP BY 1, 2
    ), boundaries AS (
        SELECT simulation, (from_time AT TIME ZONE 'UTC')::date AS day,
            count(*) FILTER (WHERE is_beginning AND is_joined) AS joined,
            count(*) FILTER (WHERE NOT is_beginning AND NOT is_joined) AS split
        FROM rule GROUP BY 1, 2
    )
    SELECT day, simulation, coalesce(true_day.sessions, 0), coalesce(found_day.sessions, 0),
        coalesce(joined, 0), coalesce(split, 0), coalesce(true_day.converted, 0),
        coalesce(found_day.converted, 0)
    FROM true_day
    FULL JOIN found_day USING (simulation, day)
    FULL JOIN boundaries USING (simulation, day)
    WHERE day > kept_since;
    INSERT INTO ops.boards (board, computed_at, seconds)
    VALUES ('mart.sessionization_day', began, extract(epoch FROM clock_timestamp() - began))
    ON CONFLICT (board) DO UPDATE
        SET computed_at = excluded.computed_at, seconds = excluded.seconds;
END
$$;
DROP VIEW ops.sessionization_day_definition;
DROP VIEW ops.cohort_day_definition;
CREATE OR REPLACE FUNCTION ops.forget_batches(kept integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    DELETE FROM ops.batches AS old
    USING (
        SELECT query, checkpoint_id, topic, kafka_partition, max(batch_id) AS last
        FROM ops.batches GROUP BY query, checkpoint_id, topic, kafka_partition
    ) AS newest
    WHERE kept >= 100 AND old.query = newest.query AND old.checkpoint_id = newest.checkpoint_id
        AND old.topic = newest.topic AND old.kafka_partition = newest.kafka_partition
        AND old.batch_id < newest.last - kept
$$;
DROP TABLE ops.forgotten_batches;
ALTER TABLE ops.batches DROP COLUMN stored_events;
ALTER TABLE ops.batches DROP COLUMN known_events;
ALTER TABLE ops.batches DROP COLUMN rejected_records;
ALTER TABLE ops.batches DROP COLUMN ledger_records;
ALTER TABLE ops.batches DROP COLUMN late_events;
