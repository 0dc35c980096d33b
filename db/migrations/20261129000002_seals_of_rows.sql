-- migrate:up
-- A row of bookkeeping has a seal: a hash of its columns, which is made when the stream writes the row. A session that
-- is not the stream's does not say clickstream.seals = on, and its changes do not match the seal. See docs/adr/0014.
CREATE FUNCTION ops.seal_of(one ops.batches) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.query, one.checkpoint_id, one.batch_id, one.topic, one.kafka_partition, one.until_offset, one.committed_at,
    one.from_offset, one.topic_id, one.leader_epoch, one.stored_events, one.known_events, one.rejected_records,
    one.ledger_records, one.late_events
), 0);
CREATE FUNCTION ops.seal_of(one ops.boards) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(one.board, one.computed_at, one.seconds), 0);
CREATE FUNCTION ops.seal_of(one ops.latency_buckets) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(one.simulation, one.run_id, one.bucket, one.events), 0);
CREATE FUNCTION ops.seal_of(one ops.ledger) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.simulation, one.run_id, one.shard, one.shards, one.minute, one.events, one.session_start_events,
    one.page_view_events, one.search_events, one.view_item_list_events, one.view_item_events, one.add_to_cart_events,
    one.remove_from_cart_events, one.view_cart_events, one.begin_checkout_events, one.add_shipping_info_events,
    one.add_payment_info_events, one.purchase_events, one.revenue_minor, one.sessions_begun, one.sessions_ended,
    one.duplicate_exact_faults, one.duplicate_conflicting_faults, one.late_faults, one.future_faults, one.lost_faults,
    one.corrupt_not_json_faults, one.corrupt_truncated_faults, one.corrupt_bad_encoding_faults, one.corrupt_nul_faults,
    one.corrupt_wrong_type_faults, one.corrupt_missing_field_faults, one.corrupt_unknown_value_faults,
    one.corrupt_unknown_version_faults, one.corrupt_oversized_faults, one.corrupt_no_value_faults, one.shard_seq,
    one.records_sent, one.records_acknowledged, one.sessions_open, one.target_milli_per_second, one.read_at,
    one.content_checksum
), 0);
-- The column "rule" is generated from others.
CREATE FUNCTION ops.seal_of(one ops.rejected_events) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.topic, one.kafka_partition, one.kafka_offset, one.kafka_timestamp, one.reason, one.detail, one.key,
    one.payload, one.rejected_at, one.replayed_at, one.key_bytes, one.payload_bytes
), 0);
CREATE FUNCTION ops.seal_of(one ops.runs) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(one.run_id, one.simulation, one.first_seen_at, one.closed_at), 0);
CREATE FUNCTION ops.seal_of(one ops.verifications) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.verified_at, one.events_sent, one.events_acknowledged, one.events_stored, one.events_rejected,
    one.planted_losses, one.lost, one.duplicated, one.phantom, one.aggregate_mismatches, one.session_mismatches,
    one.illegal_transitions, one.examples, one.altered
), 0);

-- Every event adds a number to its shard that depends on when and where the event came: no other table has that.
ALTER TABLE ops.shards ADD COLUMN arrivals_checksum bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.shards.arrivals_checksum IS 'Sum of ops.arrival_of over the events in raw.events: it covers sent_at, ingested_at and kafka_offset.';

CREATE FUNCTION ops.arrival_of(
    shard_seq bigint, sent_at timestamptz, ingested_at timestamptz, kafka_offset bigint
) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    (
        (timestamptz_send(sent_at)::bigint & 2147483647) + 3 * (timestamptz_send(ingested_at)::bigint & 2147483647)
        + 65537 * (kafka_offset & 2147483647)
    ) & 2147483647
) * (2 * (shard_seq & 1073741823) + 1) & 4294967295;
COMMENT ON FUNCTION ops.arrival_of IS
    'Returns what an event adds to its shard''s arrivals_checksum; the stream computes the same number.';

UPDATE ops.shards AS known SET arrivals_checksum = arrived.checksum
FROM (
    SELECT run_id, shard, sum(ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_offset))::bigint AS checksum
    FROM raw.events GROUP BY run_id, shard
) AS arrived
WHERE known.run_id = arrived.run_id AND known.shard = arrived.shard;

-- One time for all rows of a COPY, which the stream can read back; it is also no volatile default, which makes
-- PostgreSQL insert the rows one by one.
ALTER TABLE raw.events ALTER COLUMN ingested_at SET DEFAULT statement_timestamp();
COMMENT ON COLUMN raw.events.ingested_at IS 'When the stream began to write the rows of its share of the batch.';

-- Without dropped_numbers, which may be large, and which other checks prove.
CREATE FUNCTION ops.seal_of(one ops.shards) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.run_id, one.shard, one.simulation, one.shards, one.stored_events, one.end_shard_seq, one.records_sent,
    one.records_acknowledged, one.dropped_events, one.expired_events, one.late_events, one.watermark,
    one.arrivals_checksum
), 0);

CREATE FUNCTION ops.seal_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('clickstream.seals', true) IS DISTINCT FROM 'on' THEN
        -- While this migration waited for its locks, the stream of the version before was writing.
        IF current_setting('application_name') = 'clickstream-streaming' THEN
            RAISE EXCEPTION 'this stream does not seal its rows in %.%', tg_table_schema, tg_table_name
                USING HINT = 'Start the stream of the version that the database was migrated to.';
        END IF;
    ELSIF tg_op = 'INSERT' THEN
        new.seal := ops.seal_of(new);
    ELSE
        -- A row that was changed without its seal keeps a wrong one, however often the stream writes it afterwards.
        new.seal := old.seal # ops.seal_of(old) # ops.seal_of(new);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION ops.seal_row IS 'Seals a row that the stream writes; leaves the seal of other sessions'' rows as it is.';

CREATE TABLE ops.histories (
    relation text PRIMARY KEY,
    rows bigint NOT NULL,
    seals bigint NOT NULL
);
COMMENT ON TABLE ops.histories IS 'What a table to which rows are only added has in all: a row that is missing shows.';
COMMENT ON COLUMN ops.histories.relation IS 'The table.';
COMMENT ON COLUMN ops.histories.rows IS 'How many rows it has.';
COMMENT ON COLUMN ops.histories.seals IS 'The bitwise XOR of their seals.';
REVOKE INSERT, UPDATE ON ops.histories FROM clickstream_writer;

CREATE FUNCTION ops.extend_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ops.histories SET rows = rows + 1, seals = seals # new.seal
    WHERE relation = format('%s.%s', tg_table_schema, tg_table_name);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION ops.extend_history IS 'Counts a row that is added to a history.';

DO $$
DECLARE
    relation regclass;
BEGIN
    FOREACH relation IN ARRAY ARRAY[
        'ops.batches', 'ops.boards', 'ops.latency_buckets', 'ops.ledger', 'ops.rejected_events', 'ops.runs',
        'ops.shards', 'ops.verifications'
    ]::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ADD COLUMN seal bigint', relation);
        EXECUTE format('COMMENT ON COLUMN %s.seal IS %L', relation, 'Hash of the row as the stream wrote it, see ops.seal_of.');
        -- Rows of before are sealed as they are now.
        EXECUTE format('UPDATE %s AS one SET seal = ops.seal_of(one)', relation);
        EXECUTE format('ALTER TABLE %s ALTER COLUMN seal SET NOT NULL', relation);
        EXECUTE format('COMMENT ON FUNCTION ops.seal_of(%s) IS %L', relation, 'Returns the seal of a row.');
        EXECUTE format('GRANT EXECUTE ON FUNCTION ops.seal_of(%s) TO PUBLIC', relation);
        EXECUTE format(
            'CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION ops.seal_row()', relation
        );
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION ops.arrival_of, ops.seal_row TO PUBLIC;

INSERT INTO ops.histories (relation, rows, seals)
SELECT 'ops.verifications', count(*), coalesce(bit_xor(seal), 0) FROM ops.verifications;
CREATE TRIGGER extend_history AFTER INSERT ON ops.verifications FOR EACH ROW
    WHEN (current_setting('clickstream.seals', true) = 'on') EXECUTE FUNCTION ops.extend_history();

-- These write for the stream, also when another session calls them. A setting of the function would need a superuser, one
-- of the transaction does not.
CREATE OR REPLACE FUNCTION mart.compute_boards() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz;
    kept_since date;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
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

CREATE OR REPLACE FUNCTION ops.drop_event_partitions(before_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part record;
    dropped integer := 0;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
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
            '    SELECT run_id, shard, int8range(min(shard_seq), max(shard_seq), ''[]'') AS numbers,'
            '        sum(arrival) AS arrivals'
            '    FROM ('
            '        SELECT run_id, shard, shard_seq, shard_seq - dense_rank() OVER ('
            '            PARTITION BY run_id, shard ORDER BY shard_seq) AS island,'
            '            ops.arrival_of(shard_seq, sent_at, ingested_at, kafka_offset) AS arrival'
            '        FROM %s'
            '    ) AS numbered GROUP BY run_id, shard, island'
            '), gone AS ('
            '    SELECT run_id, shard, range_agg(numbers) AS numbers, sum(arrivals)::bigint AS arrivals'
            '    FROM islands GROUP BY run_id, shard'
            ') UPDATE ops.shards AS known SET'
            ' dropped_numbers = known.dropped_numbers + gone.numbers,'
            ' dropped_events = known.dropped_events'
            '     + ops.count_numbers(gone.numbers - known.dropped_numbers),'
            ' arrivals_checksum = known.arrivals_checksum - gone.arrivals'
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

CREATE OR REPLACE FUNCTION ops.seal_days(first timestamptz, before timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
            ('ops.ledger', 'read_at'), ('ops.ledger', 'seal')
        )
        GROUP BY tables.name
    ) AS part, LATERAL ops.sealed_rows(part.name, part.columns, first, before) AS sealed
    WHERE first < before
$$;

-- migrate:down
CREATE OR REPLACE FUNCTION ops.seal_days(first timestamptz, before timestamptz) RETURNS void
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
DROP TRIGGER extend_history ON ops.verifications;
DROP FUNCTION ops.extend_history;
DROP TABLE ops.histories;
DO $$
DECLARE
    relation regclass;
BEGIN
    FOREACH relation IN ARRAY ARRAY[
        'ops.batches', 'ops.boards', 'ops.latency_buckets', 'ops.ledger', 'ops.rejected_events', 'ops.runs',
        'ops.shards', 'ops.verifications'
    ]::regclass[] LOOP
        EXECUTE format('DROP TRIGGER seal ON %s', relation);
        EXECUTE format('DROP FUNCTION ops.seal_of(%s)', relation);
        EXECUTE format('ALTER TABLE %s DROP COLUMN seal', relation);
    END LOOP;
END
$$;
DROP FUNCTION ops.seal_row;
COMMENT ON COLUMN raw.events.ingested_at IS 'When the row was written.';
ALTER TABLE raw.events ALTER COLUMN ingested_at SET DEFAULT clock_timestamp();
DROP FUNCTION ops.arrival_of;
ALTER TABLE ops.shards DROP COLUMN arrivals_checksum;
