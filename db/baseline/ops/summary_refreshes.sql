CREATE TABLE ops.summary_refreshes (
    summary_table text PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    seal bigint NOT NULL
);
COMMENT ON TABLE ops.summary_refreshes IS 'When each summary table was last refreshed.';
COMMENT ON COLUMN ops.summary_refreshes.summary_table IS 'The table.';
COMMENT ON COLUMN ops.summary_refreshes.computed_at IS 'When the computation began.';
COMMENT ON COLUMN ops.summary_refreshes.seconds IS 'How long it took. Unit: seconds.';
COMMENT ON COLUMN ops.summary_refreshes.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.summary_refreshes
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();
