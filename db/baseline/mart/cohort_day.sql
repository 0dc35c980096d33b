CREATE TABLE mart.cohort_day (
    simulation text NOT NULL,
    cohort_day date NOT NULL,
    day date NOT NULL,
    visitors bigint NOT NULL,
    PRIMARY KEY (simulation, cohort_day, day)
);
COMMENT ON TABLE mart.cohort_day IS 'Visitors by the day of their first session, and how many of them had events on later days.';
COMMENT ON COLUMN mart.cohort_day.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.cohort_day.cohort_day IS 'Day of the first session, UTC.';
COMMENT ON COLUMN mart.cohort_day.day IS 'Day of an event, UTC.';
COMMENT ON COLUMN mart.cohort_day.visitors IS 'Visitors of the cohort with an event on that day.';
