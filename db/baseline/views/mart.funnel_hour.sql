CREATE OR REPLACE VIEW mart.funnel_hour AS
SELECT
    hours.hour, hours.simulation, hours.country, hours.device, hours.channel,
    steps.step, steps.name, steps.sessions
FROM mart.sessions_hour AS hours
CROSS JOIN LATERAL (
    VALUES
    (1, 'session', hours.sessions), (2, 'view_item', hours.view_sessions),
    (3, 'add_to_cart', hours.cart_sessions), (4, 'begin_checkout', hours.checkout_sessions),
    (5, 'purchase', hours.converted_sessions)
) AS steps (step, name, sessions);
COMMENT ON VIEW mart.funnel_hour IS 'How many sessions came to each step, by hour, country, device and channel.';
COMMENT ON COLUMN mart.funnel_hour.hour IS 'Hour in which the sessions began, UTC.';
COMMENT ON COLUMN mart.funnel_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.funnel_hour.country IS 'The users'' country.';
COMMENT ON COLUMN mart.funnel_hour.device IS 'Their device.';
COMMENT ON COLUMN mart.funnel_hour.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.funnel_hour.step IS 'Number of the step.';
COMMENT ON COLUMN mart.funnel_hour.name IS 'The step.';
COMMENT ON COLUMN mart.funnel_hour.sessions IS 'Sessions that came to it.';
