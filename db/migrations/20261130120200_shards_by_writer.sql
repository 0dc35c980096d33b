-- What was counted before stays in the table of states.
ALTER TABLE ops.shards RENAME TO shard_states;
DO $$
DECLARE
    known record;
BEGIN
    FOR known IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'ops.shard_states'::regclass AND contype IN ('n', 'p')
    LOOP
        EXECUTE format('ALTER TABLE ops.shard_states RENAME CONSTRAINT %I TO %I', known.conname,
            replace(known.conname, 'shards_', 'shard_states_'));
    END LOOP;
END
$$;
COMMENT ON TABLE ops.shard_states IS 'ops.shards without the events that writers have counted since version 0.4.';
COMMENT ON COLUMN ops.shard_states.stored_events IS 'Part of ops.shards.stored_events.';
COMMENT ON COLUMN ops.shard_states.late_events IS 'Part of ops.shards.late_events.';
COMMENT ON COLUMN ops.shard_states.arrivals_checksum IS 'Part of ops.shards.arrivals_checksum; less the events of dropped days.';

CREATE TABLE ops.shard_events_by_writer (
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    stored_events bigint NOT NULL,
    late_events bigint NOT NULL,
    arrivals_checksum bigint NOT NULL,
    seal bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (run_id, shard, writer)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.shard_events_by_writer IS 'Events of each shard by writer; ops.shards adds them up.';
COMMENT ON COLUMN ops.shard_events_by_writer.run_id IS 'The run.';
COMMENT ON COLUMN ops.shard_events_by_writer.shard IS 'The shard.';
COMMENT ON COLUMN ops.shard_events_by_writer.stored_events IS 'Part of ops.shards.stored_events.';
COMMENT ON COLUMN ops.shard_events_by_writer.late_events IS 'Part of ops.shards.late_events.';
COMMENT ON COLUMN ops.shard_events_by_writer.arrivals_checksum IS 'Part of ops.shards.arrivals_checksum.';
COMMENT ON COLUMN ops.shard_events_by_writer.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';
COMMENT ON COLUMN ops.shard_events_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.shard_events_by_writer
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.shard_events_by_writer TO clickstream_writer;
