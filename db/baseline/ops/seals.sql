-- Retention drops the events from which rows of marts follow. A seal keeps the number and the
-- checksum of these rows.
CREATE TABLE ops.seals (
    relation text NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    columns text[] NOT NULL,
    rows bigint NOT NULL,
    checksum numeric NOT NULL,
    PRIMARY KEY (relation, since)
);
COMMENT ON TABLE ops.seals IS 'Row counts and checksums of tables, for days whose events retention dropped.';
COMMENT ON COLUMN ops.seals.relation IS 'The table.';
COMMENT ON COLUMN ops.seals.since IS 'The first day, its start; -infinity for all days before.';
COMMENT ON COLUMN ops.seals.until IS 'The day before which it ends, its start.';
COMMENT ON COLUMN ops.seals.columns IS 'The columns that are sealed.';
COMMENT ON COLUMN ops.seals.rows IS 'Rows of these days.';
COMMENT ON COLUMN ops.seals.checksum IS 'Sum of the hashes of these rows.';
