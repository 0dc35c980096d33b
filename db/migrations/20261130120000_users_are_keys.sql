-- A record's key is its user, which names no run: deleted rejects are counted by reason.
COMMENT ON COLUMN raw.events.session_id IS 'The session.';
COMMENT ON COLUMN raw.events.user_id IS 'The user, the same in every session; also the key of the Kafka record.';

DROP FUNCTION ops.forget_rejects(date, integer, text[]);
DROP FUNCTION ops.seal_of(ops.forgotten_rejects);
CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
SELECT topic, kafka_partition, reason, max(until_offset) AS until_offset, sum(records) AS records
FROM ops.forgotten_rejects GROUP BY topic, kafka_partition, reason;
TRUNCATE ops.forgotten_rejects;
ALTER TABLE ops.forgotten_rejects DROP COLUMN source, ADD PRIMARY KEY (topic, kafka_partition, reason);
CREATE FUNCTION ops.seal_of(one ops.forgotten_rejects) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.topic, one.kafka_partition, one.reason, one.until_offset, one.records
), 0);
SET LOCAL clickstream.seals = 'on';
INSERT INTO ops.forgotten_rejects (topic, kafka_partition, reason, until_offset, records)
SELECT topic, kafka_partition, reason, until_offset, records FROM counted;
