-- mart.refresh_summaries() stores these rows in mart.cohort_day, and the verification compares them.
CREATE OR REPLACE VIEW ops.cohort_day_definition AS
SELECT seen.simulation, (users.first_seen_at AT TIME ZONE 'UTC')::date AS cohort_day, seen.day,
    count(*) AS visitors
FROM mart.user_day AS seen
INNER JOIN mart.dim_user AS users USING (simulation, user_id)
GROUP BY 1, 2, 3;
COMMENT ON VIEW ops.cohort_day_definition IS 'What mart.cohort_day holds once it is computed.';
COMMENT ON COLUMN ops.cohort_day_definition.simulation IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.cohort_day IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.day IS 'As in mart.cohort_day.';
COMMENT ON COLUMN ops.cohort_day_definition.visitors IS 'As in mart.cohort_day.';
