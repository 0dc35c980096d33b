CREATE OR REPLACE FUNCTION ops.refuse_open_days(before_day date) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF before_day > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'days from % on are not over yet', before_day;
    END IF;
END
$$;
COMMENT ON FUNCTION ops.refuse_open_days IS
    'Raises an error if a day before the given day has not ended.';
