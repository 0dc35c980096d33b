-- An offset is meaningful only within one log, hence topic_id and leader_epoch.
CREATE TABLE ops.batches (
    query text NOT NULL,
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    until_offset bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    from_offset bigint,
    topic_id text,
    leader_epoch integer,
    stored_events bigint,
    known_events bigint,
    rejected_records bigint,
    ledger_records bigint,
    late_events bigint,
    seal bigint NOT NULL,
    skipped_offsets bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (query, checkpoint_id, batch_id, topic, kafka_partition)
);
COMMENT ON TABLE ops.batches IS 'Offsets of each batch, written in the transaction of its rows.';
COMMENT ON COLUMN ops.batches.query IS 'The streaming query.';
COMMENT ON COLUMN ops.batches.checkpoint_id IS 'Spark''s id of its checkpoint: batch numbers begin again with a new one.';
COMMENT ON COLUMN ops.batches.batch_id IS 'Number of the batch.';
COMMENT ON COLUMN ops.batches.topic IS 'The topic.';
COMMENT ON COLUMN ops.batches.kafka_partition IS 'Its partition.';
COMMENT ON COLUMN ops.batches.until_offset IS 'The offset up to which, without it, the partition was read.';
COMMENT ON COLUMN ops.batches.committed_at IS 'When the batch was written.';
COMMENT ON COLUMN ops.batches.from_offset IS 'The offset from which the partition was read; null in a first batch without records.';
COMMENT ON COLUMN ops.batches.topic_id IS 'Kafka''s id of the topic that was read.';
COMMENT ON COLUMN ops.batches.leader_epoch IS 'A leader epoch whose leader had all records before until_offset; null if the log was empty or the stream did not look it up.';
COMMENT ON COLUMN ops.batches.stored_events IS 'Events that were new.';
COMMENT ON COLUMN ops.batches.known_events IS 'Events that were stored before.';
COMMENT ON COLUMN ops.batches.rejected_records IS 'Records that were rejected.';
COMMENT ON COLUMN ops.batches.ledger_records IS 'Records of the ledger.';
COMMENT ON COLUMN ops.batches.late_events IS 'New events that were late: older than the watermark of their shard.';
COMMENT ON COLUMN ops.batches.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';
COMMENT ON COLUMN ops.batches.skipped_offsets IS 'Offsets without a committed record: ends of transactions, and records of aborted transactions.';

-- The stream stores a batch only if the batch before ended at its first offset.
CREATE INDEX batches_until ON ops.batches (topic, kafka_partition, until_offset);

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.batches
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.batches TO clickstream_writer;
