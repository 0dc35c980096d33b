CREATE TABLE mart.pages_day (
    -- derived: columns
    day date NOT NULL,
    simulation text NOT NULL,
    page text NOT NULL,
    entries bigint NOT NULL,
    exits bigint NOT NULL,
    bounces bigint NOT NULL,
    PRIMARY KEY (day, simulation, page)
    -- end
) WITH (fillfactor = 70);
-- derived: comments
COMMENT ON TABLE mart.pages_day IS 'Where sessions began and ended, by the day in which they began.';
COMMENT ON COLUMN mart.pages_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.pages_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.pages_day.page IS 'Path of the page.';
COMMENT ON COLUMN mart.pages_day.entries IS 'Sessions that began there.';
COMMENT ON COLUMN mart.pages_day.exits IS 'Sessions that ended there, or whose last event so far is there.';
COMMENT ON COLUMN mart.pages_day.bounces IS 'Sessions that began there and saw one page at most.';
-- end

GRANT INSERT, UPDATE ON mart.pages_day TO clickstream_writer;
