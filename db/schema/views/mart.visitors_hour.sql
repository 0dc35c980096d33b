-- derived: view
CREATE OR REPLACE VIEW mart.visitors_hour AS
SELECT hour, simulation,
    sum(visitors)::bigint AS visitors
FROM mart.visitors_hour_by_writer
GROUP BY hour, simulation;
-- end
-- derived: comments
COMMENT ON VIEW mart.visitors_hour IS 'Different visitors per hour.';
COMMENT ON COLUMN mart.visitors_hour.hour IS 'Start of the hour, UTC.';
COMMENT ON COLUMN mart.visitors_hour.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.visitors_hour.visitors IS 'Different visitors with an event.';
-- end
