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
    -- The sums cover a range of offsets without a gap: after a gap they start again.
    INSERT INTO ops.forgotten_batches AS known (
        query, topic, kafka_partition, from_offset, until_offset, stored_events, known_events,
        rejected_records, ledger_records, late_events, skipped_offsets
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
COMMENT ON FUNCTION ops.forget_batches IS
    'Deletes all but the last batches of each partition, and adds them up in ops.forgotten_batches.';
GRANT EXECUTE ON FUNCTION ops.forget_batches TO clickstream_writer;
