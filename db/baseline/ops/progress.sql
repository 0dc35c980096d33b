CREATE TABLE ops.progress (
    query text PRIMARY KEY,
    max_event_time timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.progress IS 'Progress of retention.';
COMMENT ON COLUMN ops.progress.query IS 'Always retention.';
COMMENT ON COLUMN ops.progress.max_event_time IS 'The first day that raw.events still has, its start.';

CREATE TRIGGER seal_first_days AFTER INSERT ON ops.progress
    FOR EACH ROW WHEN (new.query = 'retention') EXECUTE FUNCTION ops.seal_dropped_days();
CREATE TRIGGER seal_more_days AFTER UPDATE OF max_event_time ON ops.progress
    FOR EACH ROW WHEN (new.query = 'retention') EXECUTE FUNCTION ops.seal_dropped_days();
