-- migrate:up
-- An offset means something in one log only: which one, is noted with it.
ALTER TABLE ops.batches ADD COLUMN topic_id text, ADD COLUMN leader_epoch integer;
COMMENT ON COLUMN ops.batches.topic_id IS 'Kafka''s id of the topic that was read; null for batches of versions that did not ask.';
COMMENT ON COLUMN ops.batches.leader_epoch IS 'A leader epoch whose leader had all records before until_offset; null if the log was empty, or was not asked.';
-- A batch is stored only where the one before has ended.
CREATE INDEX batches_until ON ops.batches (topic, kafka_partition, until_offset);
-- A topic that is created again has other records at the same offsets.
ALTER TABLE ops.rejected_events DROP CONSTRAINT rejected_events_pkey,
    ADD PRIMARY KEY (topic, kafka_partition, kafka_offset, kafka_timestamp);

-- Numbers of events whose day was dropped: each counts once, however often it comes.
ALTER TABLE ops.shards ADD COLUMN dropped_numbers int8multirange NOT NULL DEFAULT '{}',
    ADD COLUMN expired_events bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.shards.dropped_numbers IS 'Numbers (shard_seq) of events whose day was dropped, since they are noted; those that came too late to be stored are among them.';
COMMENT ON COLUMN ops.shards.dropped_events IS 'Events that were stored and whose days were dropped since, each number once.';
COMMENT ON COLUMN ops.shards.expired_events IS 'Events that came for the first time when their day was dropped already: they are rejected.';

CREATE FUNCTION ops.count_numbers(numbers int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
    SELECT coalesce(sum(upper(one) - lower(one)), 0)::bigint FROM unnest(numbers) AS one
$$;
COMMENT ON FUNCTION ops.count_numbers IS 'Returns how many numbers there are in some ranges.';
GRANT EXECUTE ON FUNCTION ops.count_numbers TO clickstream_writer, clickstream_reader;

CREATE OR REPLACE VIEW ops.account AS
SELECT
    simulation,
    sent.events AS sent_events,
    coalesce(sent.planted_losses, 0)::bigint AS planted_losses,
    coalesce(known.stored_events, 0)::bigint AS stored_events,
    coalesce(known.missing_events, 0)::bigint AS missing_events,
    coalesce(known.surplus_events, 0)::bigint AS surplus_events,
    abs(coalesce(traffic.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS aggregate_difference_events,
    abs(coalesce(visits.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS session_difference_events
FROM (
    SELECT
        shards.simulation,
        sum(shards.stored_events) AS stored_events,
        sum(greatest(ledger.last_seq - ledger.lost - shards.stored_events
            - shards.expired_events, 0)) AS missing_events,
        sum(greatest(shards.stored_events + shards.expired_events
            - (shards.end_shard_seq - ledger.lost), 0))
            AS surplus_events
    FROM ops.shards AS shards
    LEFT JOIN (
        SELECT run_id, shard, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY run_id, shard
    ) AS ledger USING (run_id, shard)
    GROUP BY shards.simulation
) AS known
FULL JOIN (
    SELECT simulation, sum(last_seq)::bigint AS events, sum(lost) AS planted_losses
    FROM (
        SELECT simulation, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY simulation, run_id, shard
    ) AS shard
    GROUP BY simulation
) AS sent USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.traffic_day GROUP BY simulation
) AS traffic USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.sessions_hour GROUP BY simulation
) AS visits USING (simulation);

CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    -- Who reads for long must not make the stream wait for long: it is tried again later.
    SET LOCAL lock_timeout = '3s';
    -- A rebuild asks which days are left, and then deletes what none of them explains.
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
    FOR part IN
        SELECT child.oid::regclass AS name
        FROM pg_inherits
        INNER JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'raw.events'::regclass
            AND child.relname ~ '^events_[0-9]{8}$'
            AND to_date(right(child.relname, 8), 'YYYYMMDD') < before_day
        ORDER BY child.relname
    LOOP
        -- Readers may read on while numbers are collected; writers wait.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', part.name);
        EXECUTE format(
            'WITH islands AS ('
            '    SELECT run_id, shard, int8range(min(shard_seq), max(shard_seq), ''[]'') AS numbers'
            '    FROM ('
            '        SELECT run_id, shard, shard_seq, shard_seq - dense_rank() OVER ('
            '            PARTITION BY run_id, shard ORDER BY shard_seq) AS island'
            '        FROM %s'
            '    ) AS numbered GROUP BY run_id, shard, island'
            '), gone AS ('
            '    SELECT run_id, shard, range_agg(numbers) AS numbers FROM islands'
            '    GROUP BY run_id, shard'
            ') UPDATE ops.shards AS known SET'
            ' dropped_numbers = known.dropped_numbers + gone.numbers,'
            ' dropped_events = known.dropped_events'
            '     + ops.count_numbers(gone.numbers - known.dropped_numbers)'
            ' FROM gone WHERE known.run_id = gone.run_id AND known.shard = gone.shard', part.name
        );
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        INSERT INTO ops.progress AS known (query, max_event_time)
        VALUES ('retention', before_day::timestamp AT TIME ZONE 'UTC')
        ON CONFLICT (query) DO UPDATE
            SET max_event_time = greatest(known.max_event_time, excluded.max_event_time);
    END IF;
    RETURN dropped;
END
$$;

-- migrate:down
CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    -- Who reads for long must not make the stream wait for long: it is tried again later.
    SET LOCAL lock_timeout = '3s';
    -- A rebuild asks which days are left, and then deletes what none of them explains.
    PERFORM pg_advisory_xact_lock(hashtext('raw.events.days'));
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
    FOR part IN
        SELECT child.oid::regclass AS name
        FROM pg_inherits
        INNER JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'raw.events'::regclass
            AND child.relname ~ '^events_[0-9]{8}$'
            AND to_date(right(child.relname, 8), 'YYYYMMDD') < before_day
        ORDER BY child.relname
    LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part.name);
        EXECUTE format(
            'UPDATE ops.shards AS known SET dropped_events = known.dropped_events + gone.events'
            ' FROM (SELECT run_id, shard, count(*) AS events FROM %s GROUP BY run_id, shard)'
            ' AS gone WHERE known.run_id = gone.run_id AND known.shard = gone.shard', part.name
        );
        EXECUTE format('DROP TABLE %s', part.name);
        dropped := dropped + 1;
    END LOOP;
    IF dropped > 0 THEN
        INSERT INTO ops.progress AS known (query, max_event_time)
        VALUES ('retention', before_day::timestamp AT TIME ZONE 'UTC')
        ON CONFLICT (query) DO UPDATE
            SET max_event_time = greatest(known.max_event_time, excluded.max_event_time);
    END IF;
    RETURN dropped;
END
$$;

CREATE OR REPLACE VIEW ops.account AS
SELECT
    simulation,
    sent.events AS sent_events,
    coalesce(sent.planted_losses, 0)::bigint AS planted_losses,
    coalesce(known.stored_events, 0)::bigint AS stored_events,
    coalesce(known.missing_events, 0)::bigint AS missing_events,
    coalesce(known.surplus_events, 0)::bigint AS surplus_events,
    abs(coalesce(traffic.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS aggregate_difference_events,
    abs(coalesce(visits.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS session_difference_events
FROM (
    SELECT
        shards.simulation,
        sum(shards.stored_events) AS stored_events,
        sum(greatest(ledger.last_seq - ledger.lost - shards.stored_events, 0)) AS missing_events,
        sum(greatest(shards.stored_events - (shards.end_shard_seq - ledger.lost), 0))
            AS surplus_events
    FROM ops.shards AS shards
    LEFT JOIN (
        SELECT run_id, shard, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY run_id, shard
    ) AS ledger USING (run_id, shard)
    GROUP BY shards.simulation
) AS known
FULL JOIN (
    SELECT simulation, sum(last_seq)::bigint AS events, sum(lost) AS planted_losses
    FROM (
        SELECT simulation, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY simulation, run_id, shard
    ) AS shard
    GROUP BY simulation
) AS sent USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.traffic_day GROUP BY simulation
) AS traffic USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.sessions_hour GROUP BY simulation
) AS visits USING (simulation);

DROP FUNCTION ops.count_numbers;
COMMENT ON COLUMN ops.shards.dropped_events IS 'Events that were stored and whose days were dropped since.';
ALTER TABLE ops.shards DROP COLUMN expired_events, DROP COLUMN dropped_numbers;

DELETE FROM ops.rejected_events AS one USING ops.rejected_events AS other
WHERE one.topic = other.topic AND one.kafka_partition = other.kafka_partition
    AND one.kafka_offset = other.kafka_offset AND one.kafka_timestamp < other.kafka_timestamp;
ALTER TABLE ops.rejected_events DROP CONSTRAINT rejected_events_pkey,
    ADD PRIMARY KEY (topic, kafka_partition, kafka_offset);
DROP INDEX ops.batches_until;
ALTER TABLE ops.batches DROP COLUMN leader_epoch, DROP COLUMN topic_id;
