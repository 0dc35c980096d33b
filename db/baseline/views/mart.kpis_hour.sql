CREATE OR REPLACE VIEW mart.kpis_hour AS
SELECT
    hour,
    simulation,
    max(users.visitors) AS visitors,
    -- derived: figures
    sum(sessions)::bigint AS sessions,
    sum(converted_sessions)::bigint AS converted_sessions,
    round(100.0 * sum(converted_sessions) / nullif(sum(sessions), 0), 2) AS conversion_percent,
    sum(orders)::bigint AS orders,
    (sum(revenue_minor) / 100.0)::numeric(18, 2) AS revenue,
    (sum(revenue_minor) / 100.0 / nullif(sum(orders), 0))::numeric(18, 2) AS average_order_value,
    round(100.0 * sum(bounced_sessions) / nullif(sum(sessions), 0), 2) AS bounce_percent,
    round(100.0 * sum(abandoned_sessions) / nullif(sum(cart_sessions), 0), 2) AS abandonment_percent,
    round(sum(events)::numeric / nullif(sum(sessions), 0), 2) AS events_per_session,
    round(sum(duration_milliseconds) / 1000.0 / nullif(sum(sessions), 0), 1) AS average_duration_seconds
    -- end
FROM mart.sessions_hour
LEFT JOIN mart.visitors_hour AS users USING (hour, simulation)
GROUP BY hour, simulation;
COMMENT ON VIEW mart.kpis_hour IS 'The shop per hour in which sessions began. Money in the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.kpis_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.kpis_hour.visitors IS 'Different visitors with an event in it.';
-- derived: comments
COMMENT ON COLUMN mart.kpis_hour.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.kpis_hour.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.kpis_hour.conversion_percent IS 'Share of sessions with an order.';
COMMENT ON COLUMN mart.kpis_hour.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis_hour.revenue IS 'Value of the orders. In the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_hour.average_order_value IS 'Revenue per order. In the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_hour.bounce_percent IS 'Share of sessions that saw one page at most.';
COMMENT ON COLUMN mart.kpis_hour.abandonment_percent IS 'Share of the filled carts from which nothing was bought.';
COMMENT ON COLUMN mart.kpis_hour.events_per_session IS 'Mean number of events of a session.';
COMMENT ON COLUMN mart.kpis_hour.average_duration_seconds IS 'Mean time from first to last event.';
-- end
