-- The seal of a row: a hash of its columns but the seal. A migration that adds a column to one of
-- these tables adds it here and computes the seals again. See docs/adr/0014.
CREATE OR REPLACE FUNCTION ops.seal_of(one ops.batches) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.query, one.checkpoint_id, one.batch_id, one.topic, one.kafka_partition, one.until_offset,
    one.committed_at, one.from_offset, one.topic_id, one.leader_epoch, one.stored_events,
    one.known_events, one.rejected_records, one.ledger_records, one.late_events, one.skipped_offsets
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.batches) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.batches) TO PUBLIC;

CREATE OR REPLACE FUNCTION ops.seal_of(one ops.forgotten_rejects) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.topic, one.kafka_partition, one.reason, one.until_offset, one.records
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.forgotten_rejects) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.forgotten_rejects) TO PUBLIC;

-- Without writer: only the sums of all writers mean something.
CREATE OR REPLACE FUNCTION ops.seal_of(one ops.latency_buckets_by_writer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(one.simulation, one.run_id, one.bucket, one.events), 0);
COMMENT ON FUNCTION ops.seal_of(ops.latency_buckets_by_writer) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.latency_buckets_by_writer) TO PUBLIC;

CREATE OR REPLACE FUNCTION ops.seal_of(one ops.ledger) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    -- derived: ledger
    one.simulation, one.run_id, one.shard, one.shards, one.minute, one.events,
    one.session_start_events, one.page_view_events, one.search_events, one.view_item_list_events,
    one.view_item_events, one.add_to_cart_events, one.remove_from_cart_events, one.view_cart_events,
    one.begin_checkout_events, one.add_shipping_info_events, one.add_payment_info_events,
    one.purchase_events, one.revenue_minor, one.content_checksum, one.sessions_begun,
    one.sessions_ended, one.duplicate_exact_faults, one.duplicate_conflicting_faults,
    one.late_faults, one.future_faults, one.lost_faults, one.corrupt_not_json_faults,
    one.corrupt_truncated_faults, one.corrupt_bad_encoding_faults, one.corrupt_nul_faults,
    one.corrupt_wrong_type_faults, one.corrupt_missing_field_faults,
    one.corrupt_unknown_value_faults, one.corrupt_unknown_version_faults,
    one.corrupt_oversized_faults, one.corrupt_no_value_faults, one.shard_seq, one.records_sent,
    one.records_acknowledged, one.sessions_open, one.target_milli_per_second,
    -- end
    one.read_at
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.ledger) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.ledger) TO PUBLIC;

-- Without the generated column rule.
CREATE OR REPLACE FUNCTION ops.seal_of(one ops.rejected_events) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.topic, one.kafka_partition, one.kafka_offset, one.kafka_timestamp, one.reason, one.detail,
    one.key, one.payload, one.rejected_at, one.replayed_at, one.key_bytes, one.payload_bytes
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.rejected_events) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.rejected_events) TO PUBLIC;

CREATE OR REPLACE FUNCTION ops.seal_of(one ops.runs) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.run_id, one.simulation, one.first_seen_at, one.closed_at, one.started_at, one.ended_at,
    one.record
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.runs) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.runs) TO PUBLIC;

-- Without writer.
CREATE OR REPLACE FUNCTION ops.seal_of(one ops.shard_events_by_writer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.run_id, one.shard, one.stored_events, one.late_events, one.arrivals_checksum
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.shard_events_by_writer) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.shard_events_by_writer) TO PUBLIC;

-- Without dropped_numbers, which may be large; other checks of the verification cover it.
CREATE OR REPLACE FUNCTION ops.seal_of(one ops.shard_states) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.run_id, one.shard, one.simulation, one.shards, one.end_shard_seq, one.records_sent,
    one.records_acknowledged, one.dropped_events, one.expired_events, one.watermark,
    one.dropped_checksum
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.shard_states) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.shard_states) TO PUBLIC;

CREATE OR REPLACE FUNCTION ops.seal_of(one ops.summary_refreshes) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(one.summary_table, one.computed_at, one.seconds), 0);
COMMENT ON FUNCTION ops.seal_of(ops.summary_refreshes) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.summary_refreshes) TO PUBLIC;

CREATE OR REPLACE FUNCTION ops.seal_of(one ops.verifications) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(ROW(
    one.verified_at, one.events_sent, one.events_acknowledged, one.events_stored,
    one.events_rejected, one.planted_losses, one.lost, one.duplicated, one.phantom,
    one.aggregate_mismatches, one.session_mismatches, one.illegal_transitions, one.examples,
    one.altered
), 0);
COMMENT ON FUNCTION ops.seal_of(ops.verifications) IS 'Returns the seal of a row.';
GRANT EXECUTE ON FUNCTION ops.seal_of(ops.verifications) TO PUBLIC;
