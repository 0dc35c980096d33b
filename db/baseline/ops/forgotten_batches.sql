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
    skipped_offsets bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (query, topic, kafka_partition)
);
COMMENT ON TABLE ops.forgotten_batches IS 'Sums over the batches that were deleted from ops.batches, per partition.';
COMMENT ON COLUMN ops.forgotten_batches.query IS 'The streaming query.';
COMMENT ON COLUMN ops.forgotten_batches.topic IS 'The topic.';
COMMENT ON COLUMN ops.forgotten_batches.kafka_partition IS 'Its partition.';
COMMENT ON COLUMN ops.forgotten_batches.from_offset IS 'The offset from which these batches were counted.';
COMMENT ON COLUMN ops.forgotten_batches.until_offset IS 'The offset up to which, without it, they read.';
COMMENT ON COLUMN ops.forgotten_batches.stored_events IS 'Events that were new.';
COMMENT ON COLUMN ops.forgotten_batches.known_events IS 'Events that were stored before.';
COMMENT ON COLUMN ops.forgotten_batches.rejected_records IS 'Records that were rejected.';
COMMENT ON COLUMN ops.forgotten_batches.ledger_records IS 'Records of the ledger.';
COMMENT ON COLUMN ops.forgotten_batches.late_events IS 'New events that were late: older than the watermark of their shard.';
COMMENT ON COLUMN ops.forgotten_batches.skipped_offsets IS 'Offsets without a committed record.';
