-- derived: view
CREATE OR REPLACE VIEW mart.traffic_minute AS
SELECT minute, simulation, country, device, channel,
    sum(events)::bigint AS events,
    sum(session_start_events)::bigint AS session_start_events,
    sum(page_view_events)::bigint AS page_view_events,
    sum(search_events)::bigint AS search_events,
    sum(view_item_list_events)::bigint AS view_item_list_events,
    sum(view_item_events)::bigint AS view_item_events,
    sum(add_to_cart_events)::bigint AS add_to_cart_events,
    sum(remove_from_cart_events)::bigint AS remove_from_cart_events,
    sum(view_cart_events)::bigint AS view_cart_events,
    sum(begin_checkout_events)::bigint AS begin_checkout_events,
    sum(add_shipping_info_events)::bigint AS add_shipping_info_events,
    sum(add_payment_info_events)::bigint AS add_payment_info_events,
    sum(purchase_events)::bigint AS purchase_events,
    sum(revenue_minor)::bigint AS revenue_minor
FROM mart.traffic_minute_by_writer
GROUP BY minute, simulation, country, device, channel;
-- end
-- derived: comments
COMMENT ON VIEW mart.traffic_minute IS 'Events and revenue per minute of event time.';
COMMENT ON COLUMN mart.traffic_minute.minute IS 'Start of the minute, UTC.';
COMMENT ON COLUMN mart.traffic_minute.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.traffic_minute.country IS 'The users'' country.';
COMMENT ON COLUMN mart.traffic_minute.device IS 'Their device.';
COMMENT ON COLUMN mart.traffic_minute.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.traffic_minute.events IS 'Events of all names.';
COMMENT ON COLUMN mart.traffic_minute.session_start_events IS 'Events named session_start.';
COMMENT ON COLUMN mart.traffic_minute.page_view_events IS 'Events named page_view.';
COMMENT ON COLUMN mart.traffic_minute.search_events IS 'Events named search.';
COMMENT ON COLUMN mart.traffic_minute.view_item_list_events IS 'Events named view_item_list.';
COMMENT ON COLUMN mart.traffic_minute.view_item_events IS 'Events named view_item.';
COMMENT ON COLUMN mart.traffic_minute.add_to_cart_events IS 'Events named add_to_cart.';
COMMENT ON COLUMN mart.traffic_minute.remove_from_cart_events IS 'Events named remove_from_cart.';
COMMENT ON COLUMN mart.traffic_minute.view_cart_events IS 'Events named view_cart.';
COMMENT ON COLUMN mart.traffic_minute.begin_checkout_events IS 'Events named begin_checkout.';
COMMENT ON COLUMN mart.traffic_minute.add_shipping_info_events IS 'Events named add_shipping_info.';
COMMENT ON COLUMN mart.traffic_minute.add_payment_info_events IS 'Events named add_payment_info.';
COMMENT ON COLUMN mart.traffic_minute.purchase_events IS 'Events named purchase.';
COMMENT ON COLUMN mart.traffic_minute.revenue_minor IS 'Value of the purchases. Unit: minor units.';
-- end
