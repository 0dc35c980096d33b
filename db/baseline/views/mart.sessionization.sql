CREATE OR REPLACE VIEW mart.sessionization AS
SELECT day, simulation, true_sessions, rule_sessions, joined_boundaries, split_boundaries,
    round(100.0 * joined_boundaries / nullif(true_sessions, 0), 2) AS boundaries_lost_percent,
    round(100.0 * true_converted / nullif(true_sessions, 0), 2) AS true_conversion_percent,
    round(100.0 * rule_converted / nullif(rule_sessions, 0), 2) AS rule_conversion_percent
FROM mart.sessionization_day;
COMMENT ON VIEW mart.sessionization IS 'The error of the 30-minute rule, by day.';
COMMENT ON COLUMN mart.sessionization.day IS 'Day in which the sessions began, UTC.';
COMMENT ON COLUMN mart.sessionization.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessionization.true_sessions IS 'Sessions.';
COMMENT ON COLUMN mart.sessionization.rule_sessions IS 'Sessions by the rule.';
COMMENT ON COLUMN mart.sessionization.joined_boundaries IS 'Starts of true sessions that the rule misses.';
COMMENT ON COLUMN mart.sessionization.split_boundaries IS 'Starts that the rule adds within a true session.';
COMMENT ON COLUMN mart.sessionization.boundaries_lost_percent IS 'Share of the true starts that the rule misses.';
COMMENT ON COLUMN mart.sessionization.true_conversion_percent IS 'Share of sessions with an order.';
COMMENT ON COLUMN mart.sessionization.rule_conversion_percent IS 'Share of the rule''s sessions with an order.';
