-- Retention: whole days are dropped, and their events are counted in ops.shards, so that the ledger
-- and the stored events still agree.
CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
    -- A long query must not block the stream for long: the stream calls this function again later.
    SET LOCAL lock_timeout = '3s';
    -- Batches and rebuilds share this lock: they read which days are left.
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
        -- Other sessions can still read the day while its numbers are collected; writers wait.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', part.name);
        EXECUTE format(
            'WITH islands AS ('
            '    SELECT run_id, shard, int8range(min(shard_seq), max(shard_seq), ''[]'') AS numbers,'
            '        sum(arrival) AS arrivals'
            '    FROM ('
            '        SELECT run_id, shard, shard_seq, shard_seq - dense_rank() OVER ('
            '            PARTITION BY run_id, shard ORDER BY shard_seq) AS island,'
            '            ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_partition,'
            '                kafka_offset) AS arrival'
            '        FROM %s'
            '    ) AS numbered GROUP BY run_id, shard, island'
            '), gone AS ('
            '    SELECT run_id, shard, range_agg(numbers) AS numbers, sum(arrivals)::bigint AS arrivals'
            '    FROM islands GROUP BY run_id, shard'
            ') UPDATE ops.shard_states AS known SET'
            ' dropped_numbers = known.dropped_numbers + gone.numbers,'
            ' dropped_events = known.dropped_events'
            '     + ops.count_numbers(gone.numbers - known.dropped_numbers),'
            ' dropped_checksum = known.dropped_checksum + gone.arrivals'
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
COMMENT ON FUNCTION ops.drop_event_partitions IS
    'Drops the days of raw.events before the given day, counts their events in ops.shards, and returns the number of days.';
GRANT EXECUTE ON FUNCTION ops.drop_event_partitions TO clickstream_writer;
