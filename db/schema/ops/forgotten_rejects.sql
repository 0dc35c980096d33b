-- Verifications need these counts after old rejects are deleted. See docs/adr/0015.
CREATE TABLE ops.forgotten_rejects (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    reason text NOT NULL,
    until_offset bigint NOT NULL,
    records bigint NOT NULL,
    seal bigint NOT NULL,
    PRIMARY KEY (topic, kafka_partition, reason)
);
COMMENT ON TABLE ops.forgotten_rejects IS 'How many rejects were deleted once they were old.';
COMMENT ON COLUMN ops.forgotten_rejects.topic IS 'Topic they came in.';
COMMENT ON COLUMN ops.forgotten_rejects.kafka_partition IS 'Partition of that topic.';
COMMENT ON COLUMN ops.forgotten_rejects.reason IS 'Why they were rejected.';
COMMENT ON COLUMN ops.forgotten_rejects.until_offset IS 'The offset after the last of these rejects.';
COMMENT ON COLUMN ops.forgotten_rejects.records IS 'Number of rejects.';
COMMENT ON COLUMN ops.forgotten_rejects.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.forgotten_rejects
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();
