-- The stream's login is a member: it writes the tables that the stream fills.
DO $$
BEGIN
    -- Roles belong to the cluster: another database may have created this one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_writer') THEN
        CREATE ROLE clickstream_writer NOLOGIN;
    END IF;
END
$$;
