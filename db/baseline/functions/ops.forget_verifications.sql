-- Deletes only rows whose seal matches: a verification still has to report the others.
CREATE OR REPLACE FUNCTION ops.forget_verifications(before_day date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    PERFORM ops.refuse_open_days(before_day);
    WITH gone AS (
        DELETE FROM ops.verifications AS one
        WHERE verified_at < before_day::timestamp AT TIME ZONE 'UTC' AND seal = ops.seal_of(one)
        RETURNING seal
    ), counted AS (SELECT count(*) AS rows, coalesce(bit_xor(seal), 0) AS seals FROM gone)
    UPDATE ops.histories AS known
    SET rows = known.rows - counted.rows, seals = known.seals # counted.seals
    FROM counted WHERE relation = 'ops.verifications'
    RETURNING counted.rows INTO forgotten;
    RETURN forgotten;
END
$$;
COMMENT ON FUNCTION ops.forget_verifications IS
    'Deletes the verifications from before the given day, and returns their number.';
GRANT EXECUTE ON FUNCTION ops.forget_verifications TO clickstream_writer;
