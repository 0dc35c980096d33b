-- The ledger is up to a minute behind the events. Events that are stored and not in the ledger yet
-- have a column of their own, because they would make the number of missing events negative.
CREATE OR REPLACE VIEW ops.integrity AS
SELECT
    simulation,
    run_id,
    shard,
    sent_events,
    planted_losses,
    stored_events,
    greatest(sent_events - planted_losses - known_events, 0) AS missing_events,
    greatest(known_events - sent_events + planted_losses, 0) AS unconfirmed_events
FROM (
    SELECT
        ledger.simulation,
        ledger.run_id,
        ledger.shard,
        ledger.shard_seq AS sent_events,
        ledger.lost_faults AS planted_losses,
        shards.stored_events,
        coalesce(shards.stored_events + shards.expired_events, 0) AS known_events
    FROM ops.ledger_by_shard AS ledger
    LEFT JOIN ops.shards AS shards USING (run_id, shard)
) AS counted;
COMMENT ON VIEW ops.integrity IS 'Per shard: what the ledger says was sent, and what is stored.';
COMMENT ON COLUMN ops.integrity.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.integrity.run_id IS 'The run.';
COMMENT ON COLUMN ops.integrity.shard IS 'The shard.';
COMMENT ON COLUMN ops.integrity.sent_events IS 'Events numbered so far.';
COMMENT ON COLUMN ops.integrity.planted_losses IS 'Of these, events that the generators did not send on purpose.';
COMMENT ON COLUMN ops.integrity.stored_events IS 'Events in raw.events.';
COMMENT ON COLUMN ops.integrity.missing_events IS 'Events in the ledger that are not stored: on their way, or lost; 0 after the end.';
COMMENT ON COLUMN ops.integrity.unconfirmed_events IS 'Events that are stored and not in the ledger yet; 0 after the end.';
