-- derived: view
CREATE OR REPLACE VIEW mart.sessions_hour AS
SELECT hour, simulation, country, device, channel,
    sum(sessions)::bigint AS sessions,
    sum(bounced_sessions)::bigint AS bounced_sessions,
    sum(view_sessions)::bigint AS view_sessions,
    sum(cart_sessions)::bigint AS cart_sessions,
    sum(checkout_sessions)::bigint AS checkout_sessions,
    sum(converted_sessions)::bigint AS converted_sessions,
    sum(abandoned_sessions)::bigint AS abandoned_sessions,
    sum(left_minor)::bigint AS left_minor,
    sum(events)::bigint AS events,
    sum(pages)::bigint AS pages,
    sum(duration_milliseconds)::bigint AS duration_milliseconds,
    sum(orders)::bigint AS orders,
    sum(revenue_minor)::bigint AS revenue_minor
FROM mart.sessions_hour_by_writer
GROUP BY hour, simulation, country, device, channel;
-- end
-- derived: comments
COMMENT ON VIEW mart.sessions_hour IS 'Sessions by the hour in which they began, and their results.';
COMMENT ON COLUMN mart.sessions_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.sessions_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessions_hour.country IS 'The users'' country.';
COMMENT ON COLUMN mart.sessions_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.sessions_hour.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.sessions_hour.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.sessions_hour.bounced_sessions IS 'Sessions that saw one page at most.';
COMMENT ON COLUMN mart.sessions_hour.view_sessions IS 'Sessions that looked at an item.';
COMMENT ON COLUMN mart.sessions_hour.cart_sessions IS 'Sessions that put something into the cart.';
COMMENT ON COLUMN mart.sessions_hour.checkout_sessions IS 'Sessions that began to check out.';
COMMENT ON COLUMN mart.sessions_hour.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.sessions_hour.abandoned_sessions IS 'Sessions that left something in the cart and bought nothing.';
COMMENT ON COLUMN mart.sessions_hour.left_minor IS 'Value left in these carts. Unit: minor units.';
COMMENT ON COLUMN mart.sessions_hour.events IS 'Events.';
COMMENT ON COLUMN mart.sessions_hour.pages IS 'Pages seen.';
COMMENT ON COLUMN mart.sessions_hour.duration_milliseconds IS 'From first to last event, summed.';
COMMENT ON COLUMN mart.sessions_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.sessions_hour.revenue_minor IS 'Their value. Unit: minor units.';
-- end
