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

-- migrate:down
DELETE FROM ops.rejected_events AS one USING ops.rejected_events AS other
WHERE one.topic = other.topic AND one.kafka_partition = other.kafka_partition
    AND one.kafka_offset = other.kafka_offset AND one.kafka_timestamp < other.kafka_timestamp;
ALTER TABLE ops.rejected_events DROP CONSTRAINT rejected_events_pkey,
    ADD PRIMARY KEY (topic, kafka_partition, kafka_offset);
DROP INDEX ops.batches_until;
ALTER TABLE ops.batches DROP COLUMN leader_epoch, DROP COLUMN topic_id;
