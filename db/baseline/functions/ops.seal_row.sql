-- A seal is a hash of a row's columns. The stream's connections set clickstream.seals = on; a
-- change by another database session does not match the seal. See docs/adr/0014.
CREATE OR REPLACE FUNCTION ops.seal_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('clickstream.seals', true) IS DISTINCT FROM 'on' THEN
        -- Only a stream of another version writes without seals.
        IF current_setting('application_name') = 'clickstream-streaming' THEN
            RAISE EXCEPTION 'this stream does not seal its rows in %.%',
                tg_table_schema, tg_table_name
                USING HINT = 'Start the stream of the version that the database was migrated to.';
        END IF;
    ELSIF tg_op = 'INSERT' THEN
        new.seal := ops.seal_of(new);
    ELSE
        -- A row that was changed without its seal keeps a wrong seal, also after later writes.
        new.seal := old.seal # ops.seal_of(old) # ops.seal_of(new);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION ops.seal_row IS
    'Sets the seal of a row that the stream writes; leaves the seal as it is if another database session writes the row.';
GRANT EXECUTE ON FUNCTION ops.seal_row TO PUBLIC;
