CREATE TABLE ops.runs (
    run_id uuid PRIMARY KEY,
    simulation text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    record jsonb,
    seal bigint NOT NULL
);
COMMENT ON TABLE ops.runs IS 'Runs of simulations.';
COMMENT ON COLUMN ops.runs.run_id IS 'The run.';
COMMENT ON COLUMN ops.runs.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.runs.first_seen_at IS 'When its first record was stored.';
COMMENT ON COLUMN ops.runs.closed_at IS 'When every event of every shard was stored and its sessions were final.';
COMMENT ON COLUMN ops.runs.started_at IS 'When its live part began, as its record says.';
COMMENT ON COLUMN ops.runs.ended_at IS 'End of the last minute with an event, once it is closed.';
COMMENT ON COLUMN ops.runs.record IS 'Its run record: the simulation with every default, seed, shards, version, and the revisions of shard 0, each with the simulated time it took effect. A document that did not fit into a ledger record is null.';
COMMENT ON COLUMN ops.runs.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.runs
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.runs TO clickstream_writer;
