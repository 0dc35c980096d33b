-- migrate:up
-- Each shard of each run has a watermark of its own: beside a live run, a backfill's events are not
-- late and its sessions are not over.
ALTER TABLE ops.shards ADD COLUMN late_events bigint NOT NULL DEFAULT 0;
ALTER TABLE ops.shards ADD COLUMN watermark timestamptz;
COMMENT ON COLUMN ops.shards.late_events IS 'Events that came behind the watermark of their shard; they are stored and counted all the same.';
COMMENT ON COLUMN ops.shards.watermark IS 'The event time that a batch has reached in every partition with events of the shard, less the delay that the stream allows; null until the first batch with an event of it is over. Sessions whose last event is more than 30 minutes before the lowest watermark of their run are over.';

UPDATE ops.shards AS known SET watermark = latest.event_time - coalesce(
    (
        SELECT max_event_time - final_before - interval '30 minutes'
        FROM ops.progress WHERE query = 'events'
    ),
    interval '15 minutes'
)
FROM (
    SELECT run_id, shard, max(event_time) AS event_time FROM raw.events GROUP BY run_id, shard
) AS latest
WHERE known.run_id = latest.run_id AND known.shard = latest.shard;

-- Late by one watermark for all runs means nothing any more: counts of late events begin again.
UPDATE ops.batches SET late_events = 0 WHERE late_events > 0;
UPDATE ops.forgotten_batches SET late_events = 0 WHERE late_events > 0;
COMMENT ON COLUMN ops.batches.late_events IS 'New events behind the watermark of their shard.';
COMMENT ON COLUMN ops.forgotten_batches.late_events IS 'New events behind the watermark of their shard.';

CREATE OR REPLACE VIEW mart.fact_sessions AS
SELECT
    visits.session_id,
    visits.simulation,
    visits.run_id,
    visits.user_id,
    visits.persona,
    visits.country,
    visits.city,
    visits.language,
    visits.device,
    visits.os,
    visits.browser,
    visits.channel,
    visits.campaign,
    visits.visit_number,
    visits.started_at,
    visits.last_event_at,
    visits.entry_page,
    visits.exit_page,
    visits.events,
    visits.session_start_events,
    visits.page_view_events,
    visits.search_events,
    visits.view_item_list_events,
    visits.view_item_events,
    visits.add_to_cart_events,
    visits.remove_from_cart_events,
    visits.view_cart_events,
    visits.begin_checkout_events,
    visits.add_shipping_info_events,
    visits.add_payment_info_events,
    visits.purchase_events,
    visits.pages,
    visits.added_minor,
    visits.removed_minor,
    visits.left_minor,
    visits.revenue_minor,
    visits.duration_seconds,
    visits.is_bounce,
    visits.is_converted,
    visits.is_abandoned,
    coalesce(
        runs.closed_at IS NOT NULL
            OR visits.last_event_at < progress.watermark - interval '30 minutes',
        false
    ) AS is_final
FROM mart.visits AS visits
LEFT JOIN ops.runs AS runs USING (run_id)
LEFT JOIN (
    SELECT run_id, min(coalesce(watermark, '-infinity')) AS watermark
    FROM ops.shards WHERE stored_events > dropped_events GROUP BY run_id
) AS progress USING (run_id);
COMMENT ON COLUMN mart.fact_sessions.is_final IS 'Whether the visit is over: the watermarks of all shards of its run are more than 30 minutes past it, or the run has ended.';

DELETE FROM ops.progress WHERE query = 'events';
ALTER TABLE ops.progress DROP COLUMN final_before;
ALTER TABLE ops.progress DROP COLUMN late_events;
COMMENT ON TABLE ops.progress IS 'How far retention has come.';
COMMENT ON COLUMN ops.progress.query IS 'Always retention.';
COMMENT ON COLUMN ops.progress.max_event_time IS 'The first day that raw.events still has, its start.';

-- migrate:down
ALTER TABLE ops.progress ADD COLUMN late_events bigint NOT NULL DEFAULT 0;
ALTER TABLE ops.progress ADD COLUMN final_before timestamptz;
COMMENT ON TABLE ops.progress IS 'How far each query has come in event time.';
COMMENT ON COLUMN ops.progress.query IS 'The streaming query; or retention, for the first day that raw.events still has.';
COMMENT ON COLUMN ops.progress.max_event_time IS 'The latest event time seen.';
COMMENT ON COLUMN ops.progress.late_events IS 'Events that came behind the watermark; they are stored and counted all the same.';
COMMENT ON COLUMN ops.progress.final_before IS 'Visits whose last event lies before this are over: watermark less 30 minutes.';
INSERT INTO ops.progress (query, max_event_time, final_before, late_events)
SELECT 'events', max(last_event_at),
    (SELECT max(watermark) FROM ops.shards) - interval '30 minutes',
    (SELECT coalesce(sum(late_events), 0) FROM ops.shards)
FROM mart.visits HAVING count(*) > 0;

CREATE OR REPLACE VIEW mart.fact_sessions AS
SELECT
    visits.session_id,
    visits.simulation,
    visits.run_id,
    visits.user_id,
    visits.persona,
    visits.country,
    visits.city,
    visits.language,
    visits.device,
    visits.os,
    visits.browser,
    visits.channel,
    visits.campaign,
    visits.visit_number,
    visits.started_at,
    visits.last_event_at,
    visits.entry_page,
    visits.exit_page,
    visits.events,
    visits.session_start_events,
    visits.page_view_events,
    visits.search_events,
    visits.view_item_list_events,
    visits.view_item_events,
    visits.add_to_cart_events,
    visits.remove_from_cart_events,
    visits.view_cart_events,
    visits.begin_checkout_events,
    visits.add_shipping_info_events,
    visits.add_payment_info_events,
    visits.purchase_events,
    visits.pages,
    visits.added_minor,
    visits.removed_minor,
    visits.left_minor,
    visits.revenue_minor,
    visits.duration_seconds,
    visits.is_bounce,
    visits.is_converted,
    visits.is_abandoned,
    runs.closed_at IS NOT NULL
        OR visits.last_event_at < coalesce(progress.final_before, '-infinity') AS is_final
FROM mart.visits AS visits
LEFT JOIN ops.runs AS runs USING (run_id)
LEFT JOIN ops.progress AS progress ON progress.query = 'events';
COMMENT ON COLUMN mart.fact_sessions.is_final IS 'Whether the visit is over: the watermark is more than 30 minutes past it, or its run has ended.';
COMMENT ON COLUMN ops.forgotten_batches.late_events IS 'New events behind the watermark.';
COMMENT ON COLUMN ops.batches.late_events IS 'New events behind the watermark.';
ALTER TABLE ops.shards DROP COLUMN late_events;
ALTER TABLE ops.shards DROP COLUMN watermark;
