CREATE OR REPLACE FUNCTION ops.count_numbers(numbers int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(upper(one) - lower(one)), 0)::bigint FROM unnest(numbers) AS one
$$;
COMMENT ON FUNCTION ops.count_numbers IS
    'Returns how many numbers the ranges contain.';
GRANT EXECUTE ON FUNCTION ops.count_numbers TO clickstream_writer, clickstream_reader;
