CREATE OR REPLACE VIEW ops.incidents AS
SELECT runs.simulation, runs.run_id, stated.incident, stated.kind, stated.scope,
    to_timestamp(stated.from_seconds) AS began_at, to_timestamp(stated.until_seconds) AS ended_at,
    stated.lost_orders, stated.orders_tolerance,
    round(stated.lost_revenue_minor)::bigint AS lost_revenue_minor,
    round(stated.revenue_tolerance_minor)::bigint AS revenue_tolerance_minor
FROM ops.runs AS runs
CROSS JOIN LATERAL jsonb_to_recordset(runs.record -> 'incidents') AS stated (
    incident text, kind text, scope text, from_seconds float8, until_seconds float8,
    lost_orders numeric, orders_tolerance numeric, lost_revenue_minor numeric,
    revenue_tolerance_minor numeric
);
COMMENT ON VIEW ops.incidents IS 'The incidents of each run, with the true loss by each: the difference to the run without it, computed and not sampled.';
COMMENT ON COLUMN ops.incidents.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.incidents.run_id IS 'The run.';
COMMENT ON COLUMN ops.incidents.incident IS 'Name of the incident.';
COMMENT ON COLUMN ops.incidents.kind IS 'What breaks.';
COMMENT ON COLUMN ops.incidents.scope IS 'Whose sessions it concerns.';
COMMENT ON COLUMN ops.incidents.began_at IS 'When it begins: of the sessions that begin in the interval, those in its scope have it.';
COMMENT ON COLUMN ops.incidents.ended_at IS 'When it ends.';
COMMENT ON COLUMN ops.incidents.lost_orders IS 'Number of orders that it costs; of the simulation at the start of the run.';
COMMENT ON COLUMN ops.incidents.orders_tolerance IS 'The difference between two runs lies so close to it.';
COMMENT ON COLUMN ops.incidents.lost_revenue_minor IS 'Value of the orders that it costs. Unit: minor units.';
COMMENT ON COLUMN ops.incidents.revenue_tolerance_minor IS 'The difference between two runs lies so close to it. Unit: minor units.';
