-- migrate:up
-- Ends of transactions, and records of aborted ones, take offsets and are no records for a reader.
ALTER TABLE ops.batches ADD COLUMN skipped_offsets bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.batches.skipped_offsets IS 'Offsets without a committed record: ends of transactions, and records of aborted transactions.';
ALTER TABLE ops.forgotten_batches ADD COLUMN skipped_offsets bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN ops.forgotten_batches.skipped_offsets IS 'Offsets without a committed record.';

-- A row that does not match its seal does not match it afterwards either.
ALTER FUNCTION ops.seal_of(ops.batches) RENAME TO seal_before;
CREATE FUNCTION ops.seal_of(one ops.batches) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.query, one.checkpoint_id, one.batch_id, one.topic, one.kafka_partition, one.until_offset, one.committed_at,
    one.from_offset, one.topic_id, one.leader_epoch, one.stored_events, one.known_events, one.rejected_records,
    one.ledger_records, one.late_events, one.skipped_offsets
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.batches) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.batches) TO PUBLIC;
UPDATE ops.batches AS one SET seal = seal # ops.seal_before(one) # ops.seal_of(one);
DROP FUNCTION ops.seal_before(ops.batches);

CREATE OR REPLACE FUNCTION ops.forget_batches(kept integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
    INSERT INTO ops.forgotten_batches AS known (
        query, topic, kafka_partition, from_offset, until_offset, stored_events, known_events, rejected_records,
        ledger_records, late_events, skipped_offsets
    )
    SELECT query, topic, kafka_partition,
        min(coalesce(from_offset, until_offset - stored_events - known_events - rejected_records
            - ledger_records - skipped_offsets)),
        max(until_offset), sum(stored_events), sum(known_events), sum(rejected_records),
        sum(ledger_records), sum(late_events), sum(skipped_offsets)
    FROM forgotten WHERE stored_events IS NOT NULL
    GROUP BY query, topic, kafka_partition
    ON CONFLICT (query, topic, kafka_partition) DO UPDATE SET (
        from_offset, until_offset, stored_events, known_events, rejected_records, ledger_records,
        late_events, skipped_offsets
    ) = (
        SELECT min(one.from_offset), max(one.until_offset), sum(one.stored_events),
            sum(one.known_events), sum(one.rejected_records), sum(one.ledger_records),
            sum(one.late_events), sum(one.skipped_offsets)
        FROM (SELECT known.* UNION ALL SELECT excluded.*) AS one
        WHERE excluded.from_offset = known.until_offset OR one.from_offset = excluded.from_offset
    )
$$;

-- migrate:down
CREATE OR REPLACE FUNCTION ops.forget_batches(kept integer) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

ALTER FUNCTION ops.seal_of(ops.batches) RENAME TO seal_after;
CREATE FUNCTION ops.seal_of(one ops.batches) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.query, one.checkpoint_id, one.batch_id, one.topic, one.kafka_partition, one.until_offset, one.committed_at,
    one.from_offset, one.topic_id, one.leader_epoch, one.stored_events, one.known_events, one.rejected_records,
    one.ledger_records, one.late_events
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.batches) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.batches) TO PUBLIC;
UPDATE ops.batches AS one SET seal = seal # ops.seal_after(one) # ops.seal_of(one);
DROP FUNCTION ops.seal_after(ops.batches);
ALTER TABLE ops.forgotten_batches DROP COLUMN skipped_offsets;
ALTER TABLE ops.batches DROP COLUMN skipped_offsets;
