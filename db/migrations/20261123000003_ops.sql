-- migrate:up
CREATE TABLE ops.rejected_events (
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    kafka_timestamp timestamptz NOT NULL,
    reason text NOT NULL,
    detail text,
    key bytea,
    payload bytea,
    rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, kafka_partition, kafka_offset)
);
COMMENT ON TABLE ops.rejected_events IS 'One row per record that is no event, with all it held.';
COMMENT ON COLUMN ops.rejected_events.topic IS 'Topic it came in.';
COMMENT ON COLUMN ops.rejected_events.kafka_partition IS 'Partition of that topic.';
COMMENT ON COLUMN ops.rejected_events.kafka_offset IS 'Its offset there.';
COMMENT ON COLUMN ops.rejected_events.kafka_timestamp IS 'When Kafka got it.';
COMMENT ON COLUMN ops.rejected_events.reason IS 'Why it was rejected; the contract lists the reasons.';
COMMENT ON COLUMN ops.rejected_events.detail IS 'The fields that are wrong.';
COMMENT ON COLUMN ops.rejected_events.key IS 'Its key, byte for byte.';
COMMENT ON COLUMN ops.rejected_events.payload IS 'Its value, byte for byte; null if it had none.';
COMMENT ON COLUMN ops.rejected_events.rejected_at IS 'When the row was written.';

CREATE TABLE ops.ledger (
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
    PRIMARY KEY (run_id, shard, minute)
);
COMMENT ON TABLE ops.ledger IS 'What the generators sent and had acknowledged, per shard and minute of event time.';
COMMENT ON COLUMN ops.ledger.simulation IS 'Name of the simulation.';
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
COMMENT ON COLUMN ops.ledger.revenue_minor IS 'Value of the purchases. Unit: cents.';
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

CREATE TABLE ops.shards (
    run_id uuid NOT NULL,
    shard integer NOT NULL,
    simulation text NOT NULL,
    shards integer,
    stored_events bigint NOT NULL DEFAULT 0,
    end_shard_seq bigint,
    records_sent bigint,
    records_acknowledged bigint,
    PRIMARY KEY (run_id, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.shards IS 'How far each shard of each run has come.';
COMMENT ON COLUMN ops.shards.run_id IS 'The run.';
COMMENT ON COLUMN ops.shards.shard IS 'The shard.';
COMMENT ON COLUMN ops.shards.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.shards.shards IS 'How many shards the simulation has; null until the ledger tells.';
COMMENT ON COLUMN ops.shards.stored_events IS 'Events in raw.events.';
COMMENT ON COLUMN ops.shards.end_shard_seq IS 'Number of the last event, once the shard has ended.';
COMMENT ON COLUMN ops.shards.records_sent IS 'Kafka records sent in all, once the shard has ended.';
COMMENT ON COLUMN ops.shards.records_acknowledged IS 'Of these, acknowledged.';

CREATE TABLE ops.runs (
    run_id uuid PRIMARY KEY,
    simulation text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz
);
COMMENT ON TABLE ops.runs IS 'Runs of simulations.';
COMMENT ON COLUMN ops.runs.run_id IS 'The run.';
COMMENT ON COLUMN ops.runs.simulation IS 'Name of the simulation.';
COMMENT ON COLUMN ops.runs.first_seen_at IS 'When its first record was stored.';
COMMENT ON COLUMN ops.runs.closed_at IS 'When every event of every shard was stored and its sessions were final.';

CREATE TABLE ops.batches (
    query text NOT NULL,
    checkpoint_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    topic text NOT NULL,
    kafka_partition integer NOT NULL,
    until_offset bigint NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (query, checkpoint_id, batch_id, topic, kafka_partition)
);
COMMENT ON TABLE ops.batches IS 'Offsets of each batch, written in the transaction of its rows.';
COMMENT ON COLUMN ops.batches.query IS 'The streaming query.';
COMMENT ON COLUMN ops.batches.checkpoint_id IS 'Spark''s id of its checkpoint: batch numbers begin again with a new one.';
COMMENT ON COLUMN ops.batches.batch_id IS 'Number of the batch.';
COMMENT ON COLUMN ops.batches.topic IS 'The topic.';
COMMENT ON COLUMN ops.batches.kafka_partition IS 'Its partition.';
COMMENT ON COLUMN ops.batches.until_offset IS 'The offset up to which, without it, the partition was read.';
COMMENT ON COLUMN ops.batches.committed_at IS 'When the batch was written.';

CREATE TABLE ops.progress (
    query text PRIMARY KEY,
    max_event_time timestamptz NOT NULL,
    late_events bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE ops.progress IS 'How far each query has come in event time.';
COMMENT ON COLUMN ops.progress.query IS 'The streaming query.';
COMMENT ON COLUMN ops.progress.max_event_time IS 'The latest event time seen.';
COMMENT ON COLUMN ops.progress.late_events IS 'Events behind the watermark, which the query left out.';

-- migrate:down
DROP TABLE ops.progress;
DROP TABLE ops.batches;
DROP TABLE ops.runs;
DROP TABLE ops.shards;
DROP TABLE ops.ledger;
DROP TABLE ops.rejected_events;
