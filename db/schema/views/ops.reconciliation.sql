-- Reads no row of raw.events and none of ops.ledger, so a dashboard can query it all the time.
CREATE OR REPLACE VIEW ops.reconciliation AS
SELECT
    simulation,
    sent.events AS sent_events,
    coalesce(sent.planted_losses, 0)::bigint AS planted_losses,
    coalesce(known.stored_events, 0)::bigint AS stored_events,
    coalesce(known.missing_events, 0)::bigint AS missing_events,
    coalesce(known.surplus_events, 0)::bigint AS surplus_events,
    abs(coalesce(traffic.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS aggregate_difference_events,
    abs(coalesce(sessions.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS session_difference_events
FROM (
    SELECT
        shards.simulation,
        sum(shards.stored_events) AS stored_events,
        sum(greatest(ledger.shard_seq - ledger.lost_faults - shards.stored_events
            - shards.expired_events, 0)) AS missing_events,
        sum(greatest(shards.stored_events + shards.expired_events
            - (shards.end_shard_seq - ledger.lost_faults), 0))
            AS surplus_events
    FROM ops.shards AS shards
    LEFT JOIN ops.ledger_by_shard AS ledger USING (run_id, shard)
    GROUP BY shards.simulation
) AS known
FULL JOIN (
    SELECT simulation, sum(shard_seq)::bigint AS events, sum(lost_faults) AS planted_losses
    FROM ops.ledger_by_shard
    GROUP BY simulation
) AS sent USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.traffic_day_by_writer GROUP BY simulation
) AS traffic USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.sessions_hour_by_writer GROUP BY simulation
) AS sessions USING (simulation);
COMMENT ON VIEW ops.reconciliation IS 'Per simulation: differences between the ledger, the stored events and the marts, without reading raw.events or ops.ledger.';
COMMENT ON COLUMN ops.reconciliation.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.reconciliation.sent_events IS 'Events numbered by the generators, from the ledger.';
COMMENT ON COLUMN ops.reconciliation.planted_losses IS 'Of these, events that the generators did not send on purpose.';
COMMENT ON COLUMN ops.reconciliation.stored_events IS 'Events stored, dropped days included.';
COMMENT ON COLUMN ops.reconciliation.missing_events IS 'Events in the ledger that are not stored: on their way, or lost.';
COMMENT ON COLUMN ops.reconciliation.surplus_events IS 'Events stored beyond what a shard that has ended had sent.';
COMMENT ON COLUMN ops.reconciliation.aggregate_difference_events IS 'Difference between mart.traffic_day and the stored events.';
COMMENT ON COLUMN ops.reconciliation.session_difference_events IS 'Difference between mart.sessions_hour and the stored events.';
