CREATE TABLE ops.boards (
    board text PRIMARY KEY,
    computed_at timestamptz NOT NULL,
    seconds double precision NOT NULL,
    seal bigint NOT NULL
);
COMMENT ON TABLE ops.boards IS 'When each summary table was last computed.';
COMMENT ON COLUMN ops.boards.board IS 'The table.';
COMMENT ON COLUMN ops.boards.computed_at IS 'When the computation began.';
COMMENT ON COLUMN ops.boards.seconds IS 'How long it took. Unit: seconds.';
COMMENT ON COLUMN ops.boards.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.boards
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();
