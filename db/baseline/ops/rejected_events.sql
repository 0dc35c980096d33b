-- Of a record that is longer than any event, the first 8 KiB are kept, and its length. The time is
-- part of the key because a topic that is created again has other records at the same offsets.
CREATE TABLE ops.rejected_events (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    kafka_timestamp timestamptz NOT NULL,
    reason text NOT NULL,
    detail text,
    key bytea,
    payload bytea,
    rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rule text GENERATED ALWAYS AS (
        coalesce(nullif(detail, ''), 'record') || '.' || reason
    ) STORED,
    replayed_at timestamptz,
    key_bytes integer,
    payload_bytes integer,
    seal bigint NOT NULL,
    PRIMARY KEY (topic, kafka_partition, kafka_offset, kafka_timestamp),
    CONSTRAINT rejected_events_key_is_kept CHECK (
        payload IS NULL OR key_bytes IS NULL OR octet_length(key) IS NOT DISTINCT FROM key_bytes
        OR (key_bytes > 65536 AND octet_length(key) IS NOT DISTINCT FROM 8192)
    ),
    CONSTRAINT rejected_events_payload_is_kept CHECK (
        payload IS NULL OR payload_bytes IS NULL OR octet_length(payload) = payload_bytes
        OR (payload_bytes > 65536 AND octet_length(payload) = 8192)
    )
);
COMMENT ON TABLE ops.rejected_events IS 'One row per record that was rejected.';
COMMENT ON COLUMN ops.rejected_events.topic IS 'Topic it came in.';
COMMENT ON COLUMN ops.rejected_events.kafka_partition IS 'Partition of that topic.';
COMMENT ON COLUMN ops.rejected_events.kafka_offset IS 'Its offset there.';
COMMENT ON COLUMN ops.rejected_events.kafka_timestamp IS 'When Kafka got it.';
COMMENT ON COLUMN ops.rejected_events.reason IS 'Why it was rejected; the contract lists the reasons.';
COMMENT ON COLUMN ops.rejected_events.detail IS 'The fields that are wrong.';
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte; the first 8,192 bytes of one with more than 65,536, and the first 36 once the value is forgotten.';
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; the first 8,192 bytes of one with more than 65,536; null if it had none (reason no_value), or once it is forgotten.';
COMMENT ON COLUMN ops.rejected_events.rejected_at IS 'When the row was written.';
COMMENT ON COLUMN ops.rejected_events.rule IS 'The rule it broke, as in ops.quality_rules.';
COMMENT ON COLUMN ops.rejected_events.replayed_at IS 'When it was sent again, corrected or not.';
COMMENT ON COLUMN ops.rejected_events.key_bytes IS 'Length of the key. Unit: bytes.';
COMMENT ON COLUMN ops.rejected_events.payload_bytes IS 'Length of the value; a record that is not kept whole cannot be replayed. Unit: bytes.';
COMMENT ON COLUMN ops.rejected_events.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

-- Finds the oldest payloads to forget.
CREATE INDEX rejected_events_payload ON ops.rejected_events (kafka_timestamp)
    WHERE payload IS NOT NULL;

-- Returns rejects by reason, the latest first.
CREATE INDEX rejected_events_reason ON ops.rejected_events (reason, kafka_timestamp);

-- Finds the oldest rejects to delete.
CREATE INDEX rejected_events_rejected_at ON ops.rejected_events (rejected_at);

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.rejected_events
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT ON ops.rejected_events TO clickstream_writer;
