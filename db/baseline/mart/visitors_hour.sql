CREATE TABLE mart.visitors_hour (
    -- derived: columns
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (hour, simulation)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.visitors_hour IS 'Different visitors per hour.';
COMMENT ON COLUMN mart.visitors_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.visitors_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.visitors_hour.visitors IS 'Different visitors with an event.';
-- end

GRANT INSERT, UPDATE ON mart.visitors_hour TO clickstream_writer;
