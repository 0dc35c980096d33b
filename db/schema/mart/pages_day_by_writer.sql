CREATE TABLE mart.pages_day_by_writer (
    -- derived: columns
    day date NOT NULL,
    simulation text NOT NULL,
    page text NOT NULL,
    entries bigint NOT NULL,
    exits bigint NOT NULL,
    bounces bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (day, simulation, page, writer)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.pages_day_by_writer IS 'mart.pages_day by writer.';
COMMENT ON COLUMN mart.pages_day_by_writer.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.pages_day_by_writer.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.pages_day_by_writer.page IS 'Path of the page.';
COMMENT ON COLUMN mart.pages_day_by_writer.entries IS 'Sessions that began there.';
COMMENT ON COLUMN mart.pages_day_by_writer.exits IS 'Sessions that ended there, or whose last event so far is there.';
COMMENT ON COLUMN mart.pages_day_by_writer.bounces IS 'Sessions that began there and saw one page at most.';
COMMENT ON COLUMN mart.pages_day_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';
-- end

GRANT INSERT, UPDATE ON mart.pages_day_by_writer TO clickstream_writer;
