CREATE TABLE mart.visitors_hour_by_writer (
    -- derived: columns
    hour timestamptz NOT NULL,
    simulation text NOT NULL,
    visitors bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (hour, simulation, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.visitors_hour_by_writer IS 'mart.visitors_hour by writer.';
COMMENT ON COLUMN mart.visitors_hour_by_writer.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.visitors_hour_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.visitors_hour_by_writer.visitors IS 'Different visitors with an event.';
COMMENT ON COLUMN mart.visitors_hour_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.visitors_hour_by_writer TO clickstream_writer;
