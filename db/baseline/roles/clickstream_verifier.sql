-- The verification's login is a member of this role and of clickstream_reader: it reads what the
-- stream wrote, adds to ops.verifications and changes nothing else.
DO $$
BEGIN
    -- Roles belong to the cluster: another database may have created this one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_verifier') THEN
        CREATE ROLE clickstream_verifier NOLOGIN;
    END IF;
END
$$;
