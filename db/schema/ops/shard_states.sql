-- Each shard of each run has a watermark: beside a live run, the events of a backfill are not
-- late and its sessions are not over.
CREATE TABLE ops.shard_states (
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    simulation text NOT NULL,
    shards integer,
    end_shard_seq bigint,
    records_sent bigint,
    records_acknowledged bigint,
    dropped_events bigint NOT NULL DEFAULT 0,
    dropped_numbers int8multirange NOT NULL DEFAULT '{}',
    expired_events bigint NOT NULL DEFAULT 0,
    watermark timestamptz,
    dropped_checksum bigint NOT NULL DEFAULT 0,
    seal bigint NOT NULL,
    PRIMARY KEY (run_id, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.shard_states IS 'Progress of each shard, without what the writers count of its events.';
COMMENT ON COLUMN ops.shard_states.run_id IS 'The run.';
COMMENT ON COLUMN ops.shard_states.shard IS 'The shard.';
COMMENT ON COLUMN ops.shard_states.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.shard_states.shards IS 'How many shards the simulation has; null until the stream has read a ledger record.';
COMMENT ON COLUMN ops.shard_states.end_shard_seq IS 'Number of the last event, once the shard has ended.';
COMMENT ON COLUMN ops.shard_states.records_sent IS 'Kafka records sent in all, once the shard has ended.';
COMMENT ON COLUMN ops.shard_states.records_acknowledged IS 'Of these, acknowledged.';
COMMENT ON COLUMN ops.shard_states.dropped_events IS 'Events that were stored and whose days were dropped later; each number counts once.';
COMMENT ON COLUMN ops.shard_states.dropped_numbers IS 'Numbers (shard_seq) of events whose day was dropped, including those that came too late to be stored.';
COMMENT ON COLUMN ops.shard_states.expired_events IS 'Events that came for the first time after their day was dropped; they are rejected.';
COMMENT ON COLUMN ops.shard_states.watermark IS 'The event time that a batch has reached in every partition with events of the shard, less the delay that the stream allows; null until the first batch with an event of the shard has ended. Sessions whose last event is more than 30 minutes before the lowest watermark of their run are over.';
COMMENT ON COLUMN ops.shard_states.dropped_checksum IS 'Sum of ops.arrival_of over the events of dropped days.';
COMMENT ON COLUMN ops.shard_states.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.shard_states
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.shard_states TO clickstream_writer;
