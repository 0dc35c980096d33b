-- Logins of dashboards and people are members: they read every table and view.
DO $$
BEGIN
    -- Roles belong to the cluster: another database may have created this one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_reader') THEN
        CREATE ROLE clickstream_reader NOLOGIN;
    END IF;
END
$$;
