CREATE OR REPLACE FUNCTION ops.extend_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ops.histories SET rows = rows + 1, seals = seals # new.seal
    WHERE relation = format('%s.%s', tg_table_schema, tg_table_name);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION ops.extend_history IS
    'Adds a row to the totals in ops.histories.';
