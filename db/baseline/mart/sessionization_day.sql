CREATE TABLE mart.sessionization_day (
    day date NOT NULL,
    simulation text NOT NULL,
    true_sessions bigint NOT NULL,
    rule_sessions bigint NOT NULL,
    joined_boundaries bigint NOT NULL,
    split_boundaries bigint NOT NULL,
    true_converted bigint NOT NULL,
    rule_converted bigint NOT NULL,
    PRIMARY KEY (day, simulation)
);
COMMENT ON TABLE mart.sessionization_day IS 'Sessions by the 30-minute rule alone, beside the true sessions, by day.';
COMMENT ON COLUMN mart.sessionization_day.day IS 'Day in which the session began, UTC.';
COMMENT ON COLUMN mart.sessionization_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.sessionization_day.true_sessions IS 'Sessions.';
COMMENT ON COLUMN mart.sessionization_day.rule_sessions IS 'Sessions by the rule: a user''s events without a pause of more than 30 minutes.';
COMMENT ON COLUMN mart.sessionization_day.joined_boundaries IS 'Starts of true sessions that the rule misses, because the session before ended less than 30 minutes earlier.';
COMMENT ON COLUMN mart.sessionization_day.split_boundaries IS 'Starts that the rule adds within a true session, after a pause.';
COMMENT ON COLUMN mart.sessionization_day.true_converted IS 'Sessions with an order.';
COMMENT ON COLUMN mart.sessionization_day.rule_converted IS 'Sessions by the rule with an order.';
