-- Logins of students are members: they read raw and mart. They have no right to anything of ops,
-- which has the truth, and to no function.
DO $$
BEGIN
    -- Roles belong to the cluster: another database may have created this one.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clickstream_student') THEN
        CREATE ROLE clickstream_student NOLOGIN;
    END IF;
END
$$;
