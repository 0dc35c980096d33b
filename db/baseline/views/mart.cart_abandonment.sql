CREATE OR REPLACE VIEW mart.cart_abandonment AS
SELECT hour, simulation, country, device, channel, cart_sessions, abandoned_sessions,
    round(100.0 * abandoned_sessions / nullif(cart_sessions, 0), 2) AS abandonment_percent,
    (left_minor / 100.0)::numeric(18, 2) AS value_left
FROM mart.sessions_hour
WHERE cart_sessions > 0;
COMMENT ON VIEW mart.cart_abandonment IS 'Carts that were filled and left, per hour, country, device and channel, with the value left behind.';
COMMENT ON COLUMN mart.cart_abandonment.hour IS 'Hour in which the sessions began, UTC.';
COMMENT ON COLUMN mart.cart_abandonment.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.cart_abandonment.country IS 'The users'' country.';
COMMENT ON COLUMN mart.cart_abandonment.device IS 'Their device.';
COMMENT ON COLUMN mart.cart_abandonment.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.cart_abandonment.cart_sessions IS 'Sessions that put something into the cart.';
COMMENT ON COLUMN mart.cart_abandonment.abandoned_sessions IS 'Of these, sessions that bought nothing.';
COMMENT ON COLUMN mart.cart_abandonment.abandonment_percent IS 'Their share.';
COMMENT ON COLUMN mart.cart_abandonment.value_left IS 'Value left in these carts. In the currency of the simulation.';
