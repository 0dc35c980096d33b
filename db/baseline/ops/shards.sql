-- Each shard of each run has a watermark: beside a live run, the events of a backfill are not
-- late and its sessions are not over.
CREATE TABLE ops.shards (
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    simulation text NOT NULL,
    shards integer,
    stored_events bigint NOT NULL DEFAULT 0,
    end_shard_seq bigint,
    records_sent bigint,
    records_acknowledged bigint,
    dropped_events bigint NOT NULL DEFAULT 0,
    dropped_numbers int8multirange NOT NULL DEFAULT '{}',
    expired_events bigint NOT NULL DEFAULT 0,
    late_events bigint NOT NULL DEFAULT 0,
    watermark timestamptz,
    arrivals_checksum bigint NOT NULL DEFAULT 0,
    seal bigint NOT NULL,
    PRIMARY KEY (run_id, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.shards IS 'Progress of each shard of each run.';
COMMENT ON COLUMN ops.shards.run_id IS 'The run.';
COMMENT ON COLUMN ops.shards.shard IS 'The shard.';
COMMENT ON COLUMN ops.shards.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.shards.shards IS 'How many shards the simulation has; null until the stream has read a ledger record.';
COMMENT ON COLUMN ops.shards.stored_events IS 'Events in raw.events.';
COMMENT ON COLUMN ops.shards.end_shard_seq IS 'Number of the last event, once the shard has ended.';
COMMENT ON COLUMN ops.shards.records_sent IS 'Kafka records sent in all, once the shard has ended.';
COMMENT ON COLUMN ops.shards.records_acknowledged IS 'Of these, acknowledged.';
COMMENT ON COLUMN ops.shards.dropped_events IS 'Events that were stored and whose days were dropped later; each number counts once.';
COMMENT ON COLUMN ops.shards.dropped_numbers IS 'Numbers (shard_seq) of events whose day was dropped, including those that came too late to be stored.';
COMMENT ON COLUMN ops.shards.expired_events IS 'Events that came for the first time after their day was dropped; they are rejected.';
COMMENT ON COLUMN ops.shards.late_events IS 'Late events: older than the watermark of their shard. They are stored and counted like all others.';
COMMENT ON COLUMN ops.shards.watermark IS 'The event time that a batch has reached in every partition with events of the shard, less the delay that the stream allows; null until the first batch with an event of the shard has ended. Sessions whose last event is more than 30 minutes before the lowest watermark of their run are over.';
COMMENT ON COLUMN ops.shards.arrivals_checksum IS 'Sum of ops.arrival_of over the events in raw.events: it covers sent_at, ingested_at and kafka_offset.';
COMMENT ON COLUMN ops.shards.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.shards
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.shards TO clickstream_writer;
