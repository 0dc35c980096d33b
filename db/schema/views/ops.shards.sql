-- A row of ops.shard_states is there as soon as one of its events is.
CREATE OR REPLACE VIEW ops.shards AS
SELECT
    states.run_id,
    states.shard,
    states.simulation,
    states.shards,
    coalesce(counted.stored_events, 0)::bigint AS stored_events,
    states.end_shard_seq,
    states.records_sent,
    states.records_acknowledged,
    states.dropped_events,
    states.dropped_numbers,
    states.expired_events,
    coalesce(counted.late_events, 0)::bigint AS late_events,
    states.watermark,
    (coalesce(counted.arrivals_checksum, 0) - states.dropped_checksum)::bigint AS arrivals_checksum
FROM ops.shard_states AS states
LEFT JOIN (
    SELECT run_id, shard, sum(stored_events) AS stored_events, sum(late_events) AS late_events,
        sum(arrivals_checksum) AS arrivals_checksum
    FROM ops.shard_events_by_writer
    GROUP BY run_id, shard
) AS counted USING (run_id, shard);
COMMENT ON VIEW ops.shards IS 'Progress of each shard of each run.';
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
COMMENT ON COLUMN ops.shards.arrivals_checksum IS 'Sum of ops.arrival_of over the events in raw.events: it covers sent_at, ingested_at, kafka_partition and kafka_offset.';
