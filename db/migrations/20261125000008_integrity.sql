-- migrate:up
CREATE TABLE ops.verifications (
    verified_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    events_sent bigint NOT NULL,
    events_acknowledged bigint NOT NULL,
    events_stored bigint NOT NULL,
    events_rejected bigint NOT NULL,
    planted_losses bigint NOT NULL,
    lost bigint NOT NULL,
    duplicated bigint NOT NULL,
    phantom bigint NOT NULL,
    aggregate_mismatches bigint NOT NULL,
    session_mismatches bigint NOT NULL,
    illegal_transitions bigint NOT NULL,
    examples text[] NOT NULL
);
COMMENT ON TABLE ops.verifications IS 'What each verification found.';
COMMENT ON COLUMN ops.verifications.verified_at IS 'When it ended.';
COMMENT ON COLUMN ops.verifications.events_sent IS 'Events numbered by the generators, planted losses included.';
COMMENT ON COLUMN ops.verifications.events_acknowledged IS 'Events that the ledger says the broker has.';
COMMENT ON COLUMN ops.verifications.events_stored IS 'Events in raw.events.';
COMMENT ON COLUMN ops.verifications.events_rejected IS 'Records in ops.rejected_events.';
COMMENT ON COLUMN ops.verifications.planted_losses IS 'Events that were numbered and, on purpose, never sent.';
COMMENT ON COLUMN ops.verifications.lost IS 'Events that the ledger knows and raw.events lacks.';
COMMENT ON COLUMN ops.verifications.duplicated IS 'Rows more than one of the same event.';
COMMENT ON COLUMN ops.verifications.phantom IS 'Events that no ledger knows.';
COMMENT ON COLUMN ops.verifications.aggregate_mismatches IS 'Rows of marts, ledger and counts that events contradict.';
COMMENT ON COLUMN ops.verifications.session_mismatches IS 'Visits that their events contradict.';
COMMENT ON COLUMN ops.verifications.illegal_transitions IS 'Steps that the journey does not know, and orders that are not their lines'' sum.';
COMMENT ON COLUMN ops.verifications.examples IS 'The first defects, in words.';

-- The account without reading raw.events: cheap enough to be looked at all the time.
CREATE VIEW ops.account AS
SELECT
    simulation,
    sent.events AS sent_events,
    coalesce(sent.planted_losses, 0)::bigint AS planted_losses,
    coalesce(known.stored_events, 0)::bigint AS stored_events,
    coalesce(known.missing_events, 0)::bigint AS missing_events,
    coalesce(known.surplus_events, 0)::bigint AS surplus_events,
    abs(coalesce(traffic.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS aggregate_difference_events,
    abs(coalesce(visits.events, 0) - coalesce(known.stored_events, 0))::bigint
        AS session_difference_events
FROM (
    SELECT
        shards.simulation,
        sum(shards.stored_events) AS stored_events,
        sum(greatest(ledger.last_seq - ledger.lost - shards.stored_events, 0)) AS missing_events,
        sum(greatest(shards.stored_events - (shards.end_shard_seq - ledger.lost), 0))
            AS surplus_events
    FROM ops.shards AS shards
    LEFT JOIN (
        SELECT run_id, shard, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY run_id, shard
    ) AS ledger USING (run_id, shard)
    GROUP BY shards.simulation
) AS known
FULL JOIN (
    SELECT simulation, sum(last_seq)::bigint AS events, sum(lost) AS planted_losses
    FROM (
        SELECT simulation, max(shard_seq) AS last_seq, sum(lost_faults) AS lost
        FROM ops.ledger
        GROUP BY simulation, run_id, shard
    ) AS shard
    GROUP BY simulation
) AS sent USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.traffic_day GROUP BY simulation
) AS traffic USING (simulation)
LEFT JOIN (
    SELECT simulation, sum(events) AS events FROM mart.sessions_hour GROUP BY simulation
) AS visits USING (simulation);
COMMENT ON VIEW ops.account IS 'Per simulation: ledger, stored events and roll-ups set against each other, without reading raw.events.';
COMMENT ON COLUMN ops.account.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.account.sent_events IS 'Events numbered by the generators, as the ledger has it.';
COMMENT ON COLUMN ops.account.planted_losses IS 'Of these, never sent on purpose.';
COMMENT ON COLUMN ops.account.stored_events IS 'Events stored, dropped days included.';
COMMENT ON COLUMN ops.account.missing_events IS 'Events in the ledger that are not stored: under way, or lost.';
COMMENT ON COLUMN ops.account.surplus_events IS 'Events stored beyond what a shard that has ended had sent.';
COMMENT ON COLUMN ops.account.aggregate_difference_events IS 'By how many events mart.traffic_day is off.';
COMMENT ON COLUMN ops.account.session_difference_events IS 'By how many events mart.sessions_hour is off.';

-- migrate:down
DROP VIEW ops.account;
DROP TABLE ops.verifications;
