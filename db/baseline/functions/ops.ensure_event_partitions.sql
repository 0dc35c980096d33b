-- SECURITY DEFINER: the writer may add partitions and no other table. A new day is attached, which
-- blocks no other session; PARTITION OF would wait for every reader of raw.events.
CREATE OR REPLACE FUNCTION ops.ensure_event_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day date := first_day;
    name text;
BEGIN
    IF last_day - first_day > 800 THEN
        RAISE EXCEPTION 'from % to % are more days than one call may add', first_day, last_day;
    END IF;
    WHILE day <= last_day LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        IF to_regclass('raw.' || name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('raw.events'));
            -- A session that waited for another session to create the day must see it.
            -- to_regclass() may answer from a stale cache, so query pg_class.
            IF NOT EXISTS (
                SELECT FROM pg_class WHERE relnamespace = 'raw'::regnamespace AND relname = name
            ) THEN
                EXECUTE format('CREATE TABLE raw.%I (LIKE raw.events INCLUDING DEFAULTS)', name);
                EXECUTE format(
                    'ALTER TABLE raw.events ATTACH PARTITION raw.%I FOR VALUES FROM (%L) TO (%L)',
                    name, day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00'
                );
            END IF;
        END IF;
        day := day + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ops.ensure_event_partitions IS
    'Creates the daily partitions of raw.events from the first day to the last, UTC.';
GRANT EXECUTE ON FUNCTION ops.ensure_event_partitions TO clickstream_writer;
