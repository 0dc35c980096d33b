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
    examples text[] NOT NULL,
    altered bigint NOT NULL,
    seal bigint NOT NULL
);
COMMENT ON TABLE ops.verifications IS 'What each verification found.';
COMMENT ON COLUMN ops.verifications.verified_at IS 'When it ended.';
COMMENT ON COLUMN ops.verifications.events_sent IS 'Events numbered by the generators, planted losses included.';
COMMENT ON COLUMN ops.verifications.events_acknowledged IS 'Events that the ledger says the broker has.';
COMMENT ON COLUMN ops.verifications.events_stored IS 'Events in raw.events.';
COMMENT ON COLUMN ops.verifications.events_rejected IS 'Records in ops.rejected_events.';
COMMENT ON COLUMN ops.verifications.planted_losses IS 'Events that the generators numbered and, on purpose, did not send.';
COMMENT ON COLUMN ops.verifications.lost IS 'Events of the ledger that are not in raw.events.';
COMMENT ON COLUMN ops.verifications.duplicated IS 'Surplus rows of the same event.';
COMMENT ON COLUMN ops.verifications.phantom IS 'Events that are in no ledger.';
COMMENT ON COLUMN ops.verifications.aggregate_mismatches IS 'Rows of marts, ledger and counts that events contradict.';
COMMENT ON COLUMN ops.verifications.session_mismatches IS 'Sessions that their events contradict.';
COMMENT ON COLUMN ops.verifications.illegal_transitions IS 'Steps that the journey does not allow, and orders whose value is not the sum of their lines.';
COMMENT ON COLUMN ops.verifications.examples IS 'The first defects, in words.';
COMMENT ON COLUMN ops.verifications.altered IS 'Minutes of a shard whose stored events differ from those sent.';
COMMENT ON COLUMN ops.verifications.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER extend_history AFTER INSERT ON ops.verifications
    FOR EACH ROW WHEN (current_setting('clickstream.seals', true) = 'on')
    EXECUTE FUNCTION ops.extend_history();
CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.verifications
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

-- The stream may not change what the verification of its rows found.
GRANT INSERT ON ops.verifications TO clickstream_verifier;
