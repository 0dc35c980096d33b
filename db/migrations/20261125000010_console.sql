-- migrate:up
-- For: the latest visits of a simulation, page by page.
CREATE INDEX visits_started ON mart.visits (simulation, started_at, session_id);
-- For: what came in the last seconds. Rows come nearly in the order of time, so a summary per
-- range of pages is enough, and costs the writer next to nothing.
CREATE INDEX events_time ON raw.events USING brin (event_time) WITH (autosummarize = on);

-- migrate:down
DROP INDEX raw.events_time;
DROP INDEX mart.visits_started;
