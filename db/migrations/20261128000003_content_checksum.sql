-- migrate:up
-- Minutes of before have no checksum; 0 is that of no events, so they count as altered.
ALTER TABLE ops.ledger ADD COLUMN content_checksum bigint NOT NULL DEFAULT 0;
ALTER TABLE ops.ledger ALTER COLUMN content_checksum DROP DEFAULT;
COMMENT ON COLUMN ops.ledger.content_checksum IS 'Sum of these events'' checksums, which cover every field but sent_at.';

ALTER TABLE ops.verifications ADD COLUMN altered bigint NOT NULL DEFAULT 0;
ALTER TABLE ops.verifications ALTER COLUMN altered DROP DEFAULT;
COMMENT ON COLUMN ops.verifications.altered IS 'Minutes of a shard whose events are not, field by field, those sent.';

-- migrate:down
ALTER TABLE ops.verifications DROP COLUMN altered;
ALTER TABLE ops.ledger DROP COLUMN content_checksum;
