-- migrate:up
-- A record that is no event may be large: its bytes are kept for a while, its row for ever, since verifications count it.
CREATE INDEX rejected_events_payload ON ops.rejected_events (kafka_timestamp)
WHERE payload IS NOT NULL;
ALTER TABLE ops.rejected_events
DROP CONSTRAINT rejected_events_key_is_kept,
DROP CONSTRAINT rejected_events_payload_is_kept,
ADD CONSTRAINT rejected_events_key_is_kept CHECK (
    payload IS NULL OR key_bytes IS NULL OR octet_length(key) IS NOT DISTINCT FROM key_bytes
    OR (key_bytes > 65536 AND octet_length(key) IS NOT DISTINCT FROM 8192)
),
ADD CONSTRAINT rejected_events_payload_is_kept CHECK (
    payload IS NULL OR payload_bytes IS NULL OR octet_length(payload) = payload_bytes
    OR (payload_bytes > 65536 AND octet_length(payload) = 8192)
);
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte; the first 8,192 bytes of one with more than 65,536, and the first 36 once the value is forgotten.';
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; the first 8,192 bytes of one with more than 65,536; null if it had none (reason no_value), or once it is forgotten.';

CREATE FUNCTION ops.forget_payloads(before_day date, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
    -- Verifications read a key's first 18 bytes, the run and the shard.
    UPDATE ops.rejected_events SET payload = NULL, key = substring(key FROM 1 FOR 36)
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ops.rejected_events
        WHERE payload IS NOT NULL AND kafka_timestamp < before_day::timestamp AT TIME ZONE 'UTC'
        ORDER BY kafka_timestamp LIMIT at_most FOR UPDATE
    ));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_payloads IS
    'Forgets the bytes of the oldest rejects from before one day, so many at most, and returns how many it forgot.';
GRANT EXECUTE ON FUNCTION ops.forget_payloads TO clickstream_writer;

-- migrate:down
DROP FUNCTION ops.forget_payloads;
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; the first 8,192 bytes of one with more than 65,536; null if it had none.';
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte; the first 8,192 bytes of one with more than 65,536.';
ALTER TABLE ops.rejected_events
DROP CONSTRAINT rejected_events_key_is_kept,
DROP CONSTRAINT rejected_events_payload_is_kept,
ADD CONSTRAINT rejected_events_key_is_kept CHECK (
    key_bytes IS NULL OR octet_length(key) IS NOT DISTINCT FROM key_bytes
    OR (key_bytes > 65536 AND octet_length(key) IS NOT DISTINCT FROM 8192)
) NOT VALID,
ADD CONSTRAINT rejected_events_payload_is_kept CHECK (
    payload_bytes IS NULL OR octet_length(payload) IS NOT DISTINCT FROM payload_bytes
    OR (payload_bytes > 65536 AND octet_length(payload) IS NOT DISTINCT FROM 8192)
) NOT VALID;
DROP INDEX ops.rejected_events_payload;
