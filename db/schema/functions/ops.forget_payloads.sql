-- A rejected record may be large. Its bytes are kept for some days, its row for longer, because
-- verifications count it.
CREATE OR REPLACE FUNCTION ops.forget_payloads(before_day date, at_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM set_config('clickstream.seals', 'on', true);
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
    -- A user's id has at most 32 bytes; a foreign key may be as long as a value.
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
    'Deletes the payloads of the oldest rejects from before the given day, at_most of them, and returns their number.';
GRANT EXECUTE ON FUNCTION ops.forget_payloads TO clickstream_writer;
