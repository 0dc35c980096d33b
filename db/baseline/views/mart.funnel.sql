CREATE OR REPLACE VIEW mart.funnel AS
SELECT
    simulation, step, name, sessions,
    round(100.0 * sessions / nullif(first_value(sessions) OVER steps, 0), 2) AS percent_of_all,
    round(100.0 * sessions / nullif(lag(sessions) OVER steps, 0), 2) AS percent_of_previous
FROM (
    SELECT simulation, step, name, sum(sessions)::bigint AS sessions
    FROM mart.funnel_hour
    GROUP BY simulation, step, name
) AS counted
WINDOW steps AS (PARTITION BY simulation ORDER BY step);
COMMENT ON VIEW mart.funnel IS 'How many sessions came to each step on the way to an order.';
COMMENT ON COLUMN mart.funnel.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.funnel.step IS 'Number of the step.';
COMMENT ON COLUMN mart.funnel.name IS 'The step.';
COMMENT ON COLUMN mart.funnel.sessions IS 'Sessions that came to it.';
COMMENT ON COLUMN mart.funnel.percent_of_all IS 'Share of all sessions.';
COMMENT ON COLUMN mart.funnel.percent_of_previous IS 'Share of the sessions of the step before.';
