CREATE OR REPLACE VIEW mart.session_behaviour AS
SELECT hour, simulation, country, device, channel, sessions,
    round(100.0 * bounced_sessions / nullif(sessions, 0), 2) AS bounce_percent,
    round(pages::numeric / nullif(sessions, 0), 2) AS pages_per_session,
    round(events::numeric / nullif(sessions, 0), 2) AS events_per_session,
    round(duration_milliseconds / 1000.0 / nullif(sessions, 0), 1) AS average_duration_seconds
FROM mart.sessions_hour;
COMMENT ON VIEW mart.session_behaviour IS 'Length and size of sessions, per hour, country, device and channel.';
COMMENT ON COLUMN mart.session_behaviour.hour IS 'Hour in which the sessions began, UTC.';
COMMENT ON COLUMN mart.session_behaviour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.session_behaviour.country IS 'The users'' country.';
COMMENT ON COLUMN mart.session_behaviour.device IS 'Their device.';
COMMENT ON COLUMN mart.session_behaviour.channel IS 'How they first found the shop.';
COMMENT ON COLUMN mart.session_behaviour.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.session_behaviour.bounce_percent IS 'Share of sessions that saw one page at most.';
COMMENT ON COLUMN mart.session_behaviour.pages_per_session IS 'Pages seen per session.';
COMMENT ON COLUMN mart.session_behaviour.events_per_session IS 'Events per session.';
COMMENT ON COLUMN mart.session_behaviour.average_duration_seconds IS 'Mean time from first to last event.';
