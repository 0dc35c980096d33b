-- migrate:up
-- PostgreSQL searches pg_temp first unless search_path names it. Then a temporary view that the caller calls pg_class
-- replaces PostgreSQL's own, and a SECURITY DEFINER function runs the caller's code as the owner.
DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
            AND (prosecdef OR 'search_path=pg_catalog' = ANY (proconfig))
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', ours);
    END LOOP;
END
$$;
-- Its callers may read every table that it reads.
ALTER FUNCTION ops.sealed_rows SECURITY INVOKER;

-- migrate:down
ALTER FUNCTION ops.sealed_rows SECURITY DEFINER;
-- Search paths stay as they are: the functions of before work with them.
