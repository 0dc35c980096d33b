-- derived: view
CREATE OR REPLACE VIEW mart.pages_day AS
SELECT day, simulation, page,
    sum(entries)::bigint AS entries,
    sum(exits)::bigint AS exits,
    sum(bounces)::bigint AS bounces
FROM mart.pages_day_by_writer
GROUP BY day, simulation, page;
-- end
-- derived: comments
COMMENT ON VIEW mart.pages_day IS 'Where sessions began and ended, by the day in which they began.';
COMMENT ON COLUMN mart.pages_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.pages_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.pages_day.page IS 'Path of the page.';
COMMENT ON COLUMN mart.pages_day.entries IS 'Sessions that began there.';
COMMENT ON COLUMN mart.pages_day.exits IS 'Sessions that ended there, or whose last event so far is there.';
COMMENT ON COLUMN mart.pages_day.bounces IS 'Sessions that began there and saw one page at most.';
-- end
