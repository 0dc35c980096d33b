-- migrate:up
-- Whoever has waited for another's day must see it. to_regclass does not: it answers from a cache
-- that is brought up to date only where a table is locked. A query takes such a lock, and a new look.
CREATE OR REPLACE FUNCTION ops.ensure_event_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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

-- migrate:down
CREATE OR REPLACE FUNCTION ops.ensure_event_partitions(first_day date, last_day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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
            IF to_regclass('raw.' || name) IS NULL THEN
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
