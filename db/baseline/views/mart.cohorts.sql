CREATE OR REPLACE VIEW mart.cohorts AS
SELECT simulation, cohort_day, day - cohort_day AS days_later, visitors,
    round(100.0 * visitors / first_value(visitors) OVER cohort, 2) AS percent_of_cohort
FROM mart.cohort_day
WINDOW cohort AS (PARTITION BY simulation, cohort_day ORDER BY day);
COMMENT ON VIEW mart.cohorts IS 'Visitors by the day of their first session and the number of days since then.';
COMMENT ON COLUMN mart.cohorts.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN mart.cohorts.cohort_day IS 'Day of the first session, UTC.';
COMMENT ON COLUMN mart.cohorts.days_later IS 'Days since then.';
COMMENT ON COLUMN mart.cohorts.visitors IS 'Visitors of the cohort with an event on that day.';
COMMENT ON COLUMN mart.cohorts.percent_of_cohort IS 'Their share of the cohort.';
