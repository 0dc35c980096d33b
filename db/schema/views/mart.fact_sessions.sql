CREATE OR REPLACE VIEW mart.fact_sessions AS
SELECT
    -- derived: columns
    sessions.session_id,
    sessions.simulation,
    sessions.run_id,
    sessions.user_id,
    sessions.persona,
    sessions.country,
    sessions.city,
    sessions.language,
    sessions.device,
    sessions.os,
    sessions.browser,
    sessions.channel,
    sessions.entry_page,
    sessions.exit_page,
    sessions.campaign,
    sessions.referrer,
    sessions.session_number,
    sessions.experiments,
    sessions.started_at,
    sessions.last_event_at,
    sessions.first_seq,
    sessions.last_seq,
    sessions.events,
    sessions.session_start_events,
    sessions.page_view_events,
    sessions.search_events,
    sessions.view_item_list_events,
    sessions.view_item_events,
    sessions.add_to_cart_events,
    sessions.remove_from_cart_events,
    sessions.view_cart_events,
    sessions.begin_checkout_events,
    sessions.add_shipping_info_events,
    sessions.add_payment_info_events,
    sessions.purchase_events,
    sessions.added_minor,
    sessions.removed_minor,
    sessions.revenue_minor,
    sessions.duration_seconds,
    sessions.pages,
    sessions.is_bounce,
    sessions.is_converted,
    sessions.is_abandoned,
    sessions.left_minor,
    -- end
    coalesce(
        runs.closed_at IS NOT NULL
            OR sessions.last_event_at < progress.watermark - interval '30 minutes',
        false
    ) AS is_final
FROM mart.sessions AS sessions
LEFT JOIN ops.runs AS runs USING (run_id)
LEFT JOIN (
    SELECT run_id, min(coalesce(watermark, '-infinity')) AS watermark
    FROM ops.shards WHERE stored_events > dropped_events GROUP BY run_id
) AS progress USING (run_id);
COMMENT ON VIEW mart.fact_sessions IS 'One row per session: live from its first event, final when it is over.';
-- derived: comments
COMMENT ON COLUMN mart.fact_sessions.session_id IS 'The session.';
COMMENT ON COLUMN mart.fact_sessions.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.fact_sessions.run_id IS 'The run.';
COMMENT ON COLUMN mart.fact_sessions.user_id IS 'The user.';
COMMENT ON COLUMN mart.fact_sessions.persona IS 'The kind of user.';
COMMENT ON COLUMN mart.fact_sessions.country IS 'The user''s country.';
COMMENT ON COLUMN mart.fact_sessions.city IS 'The user''s city.';
COMMENT ON COLUMN mart.fact_sessions.language IS 'The user''s language, a BCP 47 tag.';
COMMENT ON COLUMN mart.fact_sessions.device IS 'The user''s device.';
COMMENT ON COLUMN mart.fact_sessions.os IS 'Operating system of the device.';
COMMENT ON COLUMN mart.fact_sessions.browser IS 'The user''s browser.';
COMMENT ON COLUMN mart.fact_sessions.channel IS 'How the user first found the shop.';
COMMENT ON COLUMN mart.fact_sessions.entry_page IS 'Page of the first event.';
COMMENT ON COLUMN mart.fact_sessions.exit_page IS 'Page of the last event so far.';
COMMENT ON COLUMN mart.fact_sessions.campaign IS 'The campaign that led to this session.';
COMMENT ON COLUMN mart.fact_sessions.referrer IS 'The page that led to the shop; null for direct sessions.';
COMMENT ON COLUMN mart.fact_sessions.session_number IS 'Number of the session among the user''s sessions in this run; 1 is the first.';
COMMENT ON COLUMN mart.fact_sessions.experiments IS 'The arms in which the session is, as experiment=arm, separated by commas; null without one.';
COMMENT ON COLUMN mart.fact_sessions.started_at IS 'Time of the first event.';
COMMENT ON COLUMN mart.fact_sessions.last_event_at IS 'Time of the last event so far.';
COMMENT ON COLUMN mart.fact_sessions.first_seq IS 'Lowest session_seq; 1 if nothing is missing.';
COMMENT ON COLUMN mart.fact_sessions.last_seq IS 'Highest session_seq.';
COMMENT ON COLUMN mart.fact_sessions.events IS 'Events of all names.';
COMMENT ON COLUMN mart.fact_sessions.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.fact_sessions.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.fact_sessions.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.fact_sessions.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.fact_sessions.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.fact_sessions.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.fact_sessions.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.fact_sessions.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.fact_sessions.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.fact_sessions.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.fact_sessions.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.fact_sessions.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.fact_sessions.added_minor IS 'Value put into the cart. Unit: minor units.';
COMMENT ON COLUMN mart.fact_sessions.removed_minor IS 'Value taken out of it. Unit: minor units.';
COMMENT ON COLUMN mart.fact_sessions.revenue_minor IS 'Value of the orders. Unit: minor units.';
COMMENT ON COLUMN mart.fact_sessions.duration_seconds IS 'From the first event to the last.';
COMMENT ON COLUMN mart.fact_sessions.pages IS 'Pages seen: pages, searches, lists, items and carts.';
COMMENT ON COLUMN mart.fact_sessions.is_bounce IS 'Whether the user saw one page at most.';
COMMENT ON COLUMN mart.fact_sessions.is_converted IS 'Whether something was bought.';
COMMENT ON COLUMN mart.fact_sessions.is_abandoned IS 'Whether something was put into the cart and nothing bought.';
COMMENT ON COLUMN mart.fact_sessions.left_minor IS 'Value left in a cart from which nothing was bought. Unit: minor units.';
-- end
COMMENT ON COLUMN mart.fact_sessions.is_final IS 'Whether the session is over: the watermarks of all shards of its run are more than 30 minutes past it, or the run has ended.';
