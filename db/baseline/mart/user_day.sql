CREATE TABLE mart.user_day (
    -- derived: columns
    day date NOT NULL,
    simulation text NOT NULL,
    user_id text NOT NULL,
    hours integer NOT NULL,
    PRIMARY KEY (day, simulation, user_id)
    -- end
) WITH (fillfactor = 80);
-- derived: comments
COMMENT ON TABLE mart.user_day IS 'Users with events on a day, and the hours of these events.';
COMMENT ON COLUMN mart.user_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.user_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.user_day.user_id IS 'The user.';
COMMENT ON COLUMN mart.user_day.hours IS 'One bit per hour with an event: bit 0 is midnight to one.';
-- end

GRANT INSERT, UPDATE ON mart.user_day TO clickstream_writer;
