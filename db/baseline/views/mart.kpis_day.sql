CREATE OR REPLACE VIEW mart.kpis_day AS
SELECT
    hours.day,
    simulation,
    max(users.visitors) AS visitors,
    max(users.new_visitors) AS new_visitors,
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
FROM (
    SELECT (hour AT TIME ZONE 'UTC')::date AS day, sessions_hour.* FROM mart.sessions_hour
) AS hours
LEFT JOIN (
    SELECT day, simulation, sum(visitors)::bigint AS visitors,
        sum(visitors) FILTER (WHERE cohort_day = day)::bigint AS new_visitors
    FROM mart.cohort_day GROUP BY day, simulation
) AS users USING (day, simulation)
GROUP BY hours.day, simulation;
COMMENT ON VIEW mart.kpis_day IS 'The shop per day in which sessions began. Money in the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_day.day IS 'The day, UTC.';
COMMENT ON COLUMN mart.kpis_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.kpis_day.visitors IS 'Different visitors, from the last computation of mart.cohort_day.';
COMMENT ON COLUMN mart.kpis_day.new_visitors IS 'Of these, visitors whose first session was on that day.';
-- derived: comments
COMMENT ON COLUMN mart.kpis_day.sessions IS 'Sessions.';
COMMENT ON COLUMN mart.kpis_day.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.kpis_day.conversion_percent IS 'Share of sessions with an order.';
COMMENT ON COLUMN mart.kpis_day.orders IS 'Orders.';
COMMENT ON COLUMN mart.kpis_day.revenue IS 'Value of the orders. In the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_day.average_order_value IS 'Revenue per order. In the currency of the simulation.';
COMMENT ON COLUMN mart.kpis_day.bounce_percent IS 'Share of sessions that saw one page at most.';
COMMENT ON COLUMN mart.kpis_day.abandonment_percent IS 'Share of the filled carts from which nothing was bought.';
COMMENT ON COLUMN mart.kpis_day.events_per_session IS 'Mean number of events of a session.';
COMMENT ON COLUMN mart.kpis_day.average_duration_seconds IS 'Mean time from first to last event.';
-- end
