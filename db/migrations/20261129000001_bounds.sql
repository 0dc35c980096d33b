-- migrate:up
-- Of a record that is longer than any event, the first 8 KiB are kept, and its length.
ALTER TABLE ops.rejected_events ADD COLUMN key_bytes integer, ADD COLUMN payload_bytes integer;
UPDATE ops.rejected_events
SET key_bytes = octet_length(key), payload_bytes = octet_length(payload)
WHERE num_nonnulls(key, payload) > 0;
ALTER TABLE ops.rejected_events
ADD CONSTRAINT rejected_events_key_is_kept CHECK (
    key_bytes IS NULL OR octet_length(key) IS NOT DISTINCT FROM key_bytes
    OR (key_bytes > 65536 AND octet_length(key) IS NOT DISTINCT FROM 8192)
),
ADD CONSTRAINT rejected_events_payload_is_kept CHECK (
    payload_bytes IS NULL OR octet_length(payload) IS NOT DISTINCT FROM payload_bytes
    OR (payload_bytes > 65536 AND octet_length(payload) IS NOT DISTINCT FROM 8192)
);
COMMENT ON TABLE ops.rejected_events IS 'One row per record that is no event.';
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte; the first 8,192 bytes of one with more than 65,536.';
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; the first 8,192 bytes of one with more than 65,536; null if it had none.';
COMMENT ON COLUMN ops.rejected_events.key_bytes IS 'How many bytes the key had; null in rows of a stream that did not count.';
COMMENT ON COLUMN ops.rejected_events.payload_bytes IS 'How many bytes the value had; a record that is not kept whole cannot be replayed.';

-- migrate:down
ALTER TABLE ops.rejected_events
DROP CONSTRAINT rejected_events_key_is_kept,
DROP CONSTRAINT rejected_events_payload_is_kept,
DROP COLUMN key_bytes,
DROP COLUMN payload_bytes;
COMMENT ON TABLE ops.rejected_events IS 'One row per record that is no event, with all it held.';
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte.';
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; null if it had none.';
