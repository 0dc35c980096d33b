-- Owns nothing: its members are the owner's logins, which may create temporary objects.
DO $$
BEGIN
    -- Roles belong to the cluster: another database may have created this one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_owner') THEN
        CREATE ROLE clickstream_owner NOLOGIN;
    END IF;
END
$$;
