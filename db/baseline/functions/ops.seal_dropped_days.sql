CREATE OR REPLACE FUNCTION ops.seal_dropped_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ops.seal_days(coalesce(old.max_event_time, '-infinity'), new.max_event_time);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION ops.seal_dropped_days IS
    'Calls ops.seal_days when days are dropped.';
