-- Only the transactions that store the ledger write it, so they wait for no transaction that writes
-- ops.shard_states. Without a seal: the ledger proves each column.
CREATE TABLE ops.ledger_by_shard (
    -- derived: columns
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    simulation text NOT NULL,
    shard_seq bigint NOT NULL,
    minute timestamptz NOT NULL,
    events bigint NOT NULL,
    purchase_events bigint NOT NULL,
    revenue_minor numeric NOT NULL,
    duplicate_exact_faults bigint NOT NULL,
    duplicate_conflicting_faults bigint NOT NULL,
    late_faults bigint NOT NULL,
    future_faults bigint NOT NULL,
    lost_faults bigint NOT NULL,
    corrupt_not_json_faults bigint NOT NULL,
    corrupt_truncated_faults bigint NOT NULL,
    corrupt_bad_encoding_faults bigint NOT NULL,
    corrupt_nul_faults bigint NOT NULL,
    corrupt_wrong_type_faults bigint NOT NULL,
    corrupt_missing_field_faults bigint NOT NULL,
    corrupt_unknown_value_faults bigint NOT NULL,
    corrupt_unknown_version_faults bigint NOT NULL,
    corrupt_oversized_faults bigint NOT NULL,
    corrupt_no_value_faults bigint NOT NULL,
    -- end
    PRIMARY KEY (run_id, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.ledger_by_shard IS 'Totals of ops.ledger by shard, so that live queries need not read the whole ledger.';
-- derived: comments
COMMENT ON COLUMN ops.ledger_by_shard.run_id IS 'The run.';
COMMENT ON COLUMN ops.ledger_by_shard.shard IS 'The shard.';
COMMENT ON COLUMN ops.ledger_by_shard.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.ledger_by_shard.shard_seq IS 'Number of the shard''s last event so far.';
COMMENT ON COLUMN ops.ledger_by_shard.minute IS 'Last minute of event time, its start.';
COMMENT ON COLUMN ops.ledger_by_shard.events IS 'Events acknowledged.';
COMMENT ON COLUMN ops.ledger_by_shard.purchase_events IS 'Of these, purchase.';
COMMENT ON COLUMN ops.ledger_by_shard.revenue_minor IS 'Value of the purchases. Unit: minor units.';
COMMENT ON COLUMN ops.ledger_by_shard.duplicate_exact_faults IS 'Faults planted: duplicate_exact.';
COMMENT ON COLUMN ops.ledger_by_shard.duplicate_conflicting_faults IS 'Faults planted: duplicate_conflicting.';
COMMENT ON COLUMN ops.ledger_by_shard.late_faults IS 'Faults planted: late.';
COMMENT ON COLUMN ops.ledger_by_shard.future_faults IS 'Faults planted: future.';
COMMENT ON COLUMN ops.ledger_by_shard.lost_faults IS 'Faults planted: lost.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_not_json_faults IS 'Faults planted: corrupt_not_json.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_truncated_faults IS 'Faults planted: corrupt_truncated.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_bad_encoding_faults IS 'Faults planted: corrupt_bad_encoding.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_nul_faults IS 'Faults planted: corrupt_nul.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_wrong_type_faults IS 'Faults planted: corrupt_wrong_type.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_missing_field_faults IS 'Faults planted: corrupt_missing_field.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_unknown_value_faults IS 'Faults planted: corrupt_unknown_value.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_unknown_version_faults IS 'Faults planted: corrupt_unknown_version.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_oversized_faults IS 'Faults planted: corrupt_oversized.';
COMMENT ON COLUMN ops.ledger_by_shard.corrupt_no_value_faults IS 'Faults planted: corrupt_no_value.';
-- end

GRANT INSERT, UPDATE ON ops.ledger_by_shard TO clickstream_writer;
