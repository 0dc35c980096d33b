CREATE OR REPLACE VIEW mart.experiment_results AS
WITH by_user AS (
    SELECT simulation, run_id, split_part(place, '=', 1) AS experiment,
        split_part(place, '=', 2) AS arm, user_id, count(*) AS sessions,
        count(*) FILTER (WHERE is_converted) AS converted, sum(purchase_events) AS orders,
        sum(revenue_minor) AS revenue_minor
    -- DISTINCT: a record of another sender may name an arm twice.
    FROM mart.sessions
    CROSS JOIN LATERAL (SELECT DISTINCT string_to_table(experiments, ',') AS place) AS stated
    GROUP BY simulation, run_id, place, user_id
), sums AS (
    SELECT simulation, run_id, experiment, arm, count(*) AS users, sum(sessions) AS sessions,
        count(*) FILTER (WHERE converted > 0) AS converted_users,
        sum(converted) AS converted_sessions, sum(orders) AS orders,
        sum(revenue_minor) AS revenue_minor, sum(sessions * sessions) AS ss,
        sum(sessions * converted) AS sc, sum(converted * converted) AS cc
    FROM by_user GROUP BY simulation, run_id, experiment, arm
), arms AS (
    SELECT sums.*, converted_sessions / sessions AS conversion,
        -- The variance of the logarithm of converted_sessions / sessions by the delta method, over
        -- users: their sessions are not independent. As one fraction of whole numbers, which
        -- rounding cannot make negative.
        users / nullif(users - 1.0, 0) * (
            cc * sessions * sessions - 2 * sc * converted_sessions * sessions
            + ss * converted_sessions * converted_sessions
        ) / nullif(sessions * sessions * converted_sessions * converted_sessions, 0) AS variance
    FROM sums
), compared AS (
    SELECT arms.*, arms.conversion / nullif(control.conversion, 0) AS ratio,
        exp(1.959964 * sqrt(arms.variance + control.variance)) AS factor
    FROM arms
    LEFT JOIN arms AS control ON arms.arm <> 'control' AND control.arm = 'control'
        AND (control.simulation, control.run_id, control.experiment)
        = (arms.simulation, arms.run_id, arms.experiment)
)
SELECT simulation, run_id, experiment, arm, users, sessions::bigint AS sessions, converted_users,
    converted_sessions::bigint AS converted_sessions, orders::bigint AS orders,
    revenue_minor::bigint AS revenue_minor, round(conversion, 6) AS conversion,
    round(ratio - 1, 6) AS lift, round(ratio / factor - 1, 6) AS lift_low,
    round(ratio * factor - 1, 6) AS lift_high
FROM compared;
COMMENT ON VIEW mart.experiment_results IS 'The arms of each run''s experiments, and their lift against the control with its interval of 95 %.';
COMMENT ON COLUMN mart.experiment_results.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.experiment_results.run_id IS 'The run.';
COMMENT ON COLUMN mart.experiment_results.experiment IS 'The experiment.';
COMMENT ON COLUMN mart.experiment_results.arm IS 'The arm.';
COMMENT ON COLUMN mart.experiment_results.users IS 'Users with a session in the arm.';
COMMENT ON COLUMN mart.experiment_results.sessions IS 'Their sessions in the arm, also those that are not over.';
COMMENT ON COLUMN mart.experiment_results.converted_users IS 'Users with an order in these sessions.';
COMMENT ON COLUMN mart.experiment_results.converted_sessions IS 'Sessions with an order.';
COMMENT ON COLUMN mart.experiment_results.orders IS 'Orders.';
COMMENT ON COLUMN mart.experiment_results.revenue_minor IS 'Their value. Unit: minor units.';
COMMENT ON COLUMN mart.experiment_results.conversion IS 'Share of the sessions with an order, from 0 to 1.';
COMMENT ON COLUMN mart.experiment_results.lift IS 'Conversion relative to that of the control, minus 1; null for the control.';
COMMENT ON COLUMN mart.experiment_results.lift_low IS 'Lower end of the lift''s interval of 95 %; null without orders in both arms.';
COMMENT ON COLUMN mart.experiment_results.lift_high IS 'Upper end of the interval.';
