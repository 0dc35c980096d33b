-- read_at: an event that came long before it must be in the ledger.
CREATE TABLE ops.ledger (
    -- derived: columns
    simulation text NOT NULL,
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    shards integer NOT NULL,
    minute timestamptz NOT NULL,
    events bigint NOT NULL,
    session_start_events bigint NOT NULL,
    page_view_events bigint NOT NULL,
    search_events bigint NOT NULL,
    view_item_list_events bigint NOT NULL,
    view_item_events bigint NOT NULL,
    add_to_cart_events bigint NOT NULL,
    remove_from_cart_events bigint NOT NULL,
    view_cart_events bigint NOT NULL,
    begin_checkout_events bigint NOT NULL,
    add_shipping_info_events bigint NOT NULL,
    add_payment_info_events bigint NOT NULL,
    purchase_events bigint NOT NULL,
    revenue_minor bigint NOT NULL,
    content_checksum bigint NOT NULL,
    sessions_begun bigint NOT NULL,
    sessions_ended bigint NOT NULL,
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
    shard_seq bigint NOT NULL,
    records_sent bigint NOT NULL,
    records_acknowledged bigint NOT NULL,
    sessions_open bigint NOT NULL,
    target_milli_per_second bigint NOT NULL,
    -- end
    read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seal bigint NOT NULL,
    PRIMARY KEY (run_id, shard, minute)
);
COMMENT ON TABLE ops.ledger IS 'What the generators sent and had acknowledged, per shard and minute of event time.';
-- derived: comments
COMMENT ON COLUMN ops.ledger.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.ledger.run_id IS 'The run.';
COMMENT ON COLUMN ops.ledger.shard IS 'The shard.';
COMMENT ON COLUMN ops.ledger.shards IS 'How many shards the simulation has.';
COMMENT ON COLUMN ops.ledger.minute IS 'Minute of event time, its start.';
COMMENT ON COLUMN ops.ledger.events IS 'Events acknowledged in this minute.';
COMMENT ON COLUMN ops.ledger.session_start_events IS 'Of these, session_start.';
COMMENT ON COLUMN ops.ledger.page_view_events IS 'Of these, page_view.';
COMMENT ON COLUMN ops.ledger.search_events IS 'Of these, search.';
COMMENT ON COLUMN ops.ledger.view_item_list_events IS 'Of these, view_item_list.';
COMMENT ON COLUMN ops.ledger.view_item_events IS 'Of these, view_item.';
COMMENT ON COLUMN ops.ledger.add_to_cart_events IS 'Of these, add_to_cart.';
COMMENT ON COLUMN ops.ledger.remove_from_cart_events IS 'Of these, remove_from_cart.';
COMMENT ON COLUMN ops.ledger.view_cart_events IS 'Of these, view_cart.';
COMMENT ON COLUMN ops.ledger.begin_checkout_events IS 'Of these, begin_checkout.';
COMMENT ON COLUMN ops.ledger.add_shipping_info_events IS 'Of these, add_shipping_info.';
COMMENT ON COLUMN ops.ledger.add_payment_info_events IS 'Of these, add_payment_info.';
COMMENT ON COLUMN ops.ledger.purchase_events IS 'Of these, purchase.';
COMMENT ON COLUMN ops.ledger.revenue_minor IS 'Value of the purchases. Unit: minor units.';
COMMENT ON COLUMN ops.ledger.content_checksum IS 'Sum of these events'' checksums, which cover every field but sent_at.';
COMMENT ON COLUMN ops.ledger.sessions_begun IS 'Sessions with their first event here.';
COMMENT ON COLUMN ops.ledger.sessions_ended IS 'Sessions with their last event here.';
COMMENT ON COLUMN ops.ledger.duplicate_exact_faults IS 'Faults planted here: duplicate_exact.';
COMMENT ON COLUMN ops.ledger.duplicate_conflicting_faults IS 'Faults planted here: duplicate_conflicting.';
COMMENT ON COLUMN ops.ledger.late_faults IS 'Faults planted here: late.';
COMMENT ON COLUMN ops.ledger.future_faults IS 'Faults planted here: future.';
COMMENT ON COLUMN ops.ledger.lost_faults IS 'Faults planted here: lost.';
COMMENT ON COLUMN ops.ledger.corrupt_not_json_faults IS 'Faults planted here: corrupt_not_json.';
COMMENT ON COLUMN ops.ledger.corrupt_truncated_faults IS 'Faults planted here: corrupt_truncated.';
COMMENT ON COLUMN ops.ledger.corrupt_bad_encoding_faults IS 'Faults planted here: corrupt_bad_encoding.';
COMMENT ON COLUMN ops.ledger.corrupt_nul_faults IS 'Faults planted here: corrupt_nul.';
COMMENT ON COLUMN ops.ledger.corrupt_wrong_type_faults IS 'Faults planted here: corrupt_wrong_type.';
COMMENT ON COLUMN ops.ledger.corrupt_missing_field_faults IS 'Faults planted here: corrupt_missing_field.';
COMMENT ON COLUMN ops.ledger.corrupt_unknown_value_faults IS 'Faults planted here: corrupt_unknown_value.';
COMMENT ON COLUMN ops.ledger.corrupt_unknown_version_faults IS 'Faults planted here: corrupt_unknown_version.';
COMMENT ON COLUMN ops.ledger.corrupt_oversized_faults IS 'Faults planted here: corrupt_oversized.';
COMMENT ON COLUMN ops.ledger.corrupt_no_value_faults IS 'Faults planted here: corrupt_no_value.';
COMMENT ON COLUMN ops.ledger.shard_seq IS 'Number of the shard''s last event so far.';
COMMENT ON COLUMN ops.ledger.records_sent IS 'Kafka records handed to the client so far, faults included.';
COMMENT ON COLUMN ops.ledger.records_acknowledged IS 'Of these, acknowledged by the broker.';
COMMENT ON COLUMN ops.ledger.sessions_open IS 'Sessions under way after it.';
COMMENT ON COLUMN ops.ledger.target_milli_per_second IS 'Rate wanted of this shard. Unit: events per 1000 s.';
-- end
COMMENT ON COLUMN ops.ledger.read_at IS 'When the stream read the last record of this minute.';
COMMENT ON COLUMN ops.ledger.seal IS 'Hash of the row as the stream wrote it, see ops.seal_of.';

CREATE TRIGGER seal BEFORE INSERT OR UPDATE ON ops.ledger
    FOR EACH ROW EXECUTE FUNCTION ops.seal_row();

GRANT INSERT, UPDATE ON ops.ledger TO clickstream_writer;
