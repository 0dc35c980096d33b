CREATE OR REPLACE VIEW ops.experiment_lifts AS
WITH truths AS (
    SELECT simulation, run_id, experiment, arm, conversion, began_at,
        lead(began_at, 1, 'infinity') OVER (
            PARTITION BY simulation, run_id, experiment, arm ORDER BY began_at
        ) AS next_at
    FROM ops.experiments
), means AS (
    SELECT simulation, run_id, experiment, arm, avg(truths.conversion) AS conversion
    FROM mart.sessions AS sessions
    CROSS JOIN LATERAL (
        SELECT DISTINCT string_to_table(sessions.experiments, ',') AS place
    ) AS stated
    INNER JOIN truths USING (simulation, run_id)
    WHERE stated.place = truths.experiment || '=' || truths.arm
        AND sessions.started_at >= truths.began_at AND sessions.started_at < truths.next_at
    GROUP BY simulation, run_id, experiment, arm
)
SELECT results.simulation, results.run_id, results.experiment, results.arm, results.sessions,
    results.conversion, round(own.conversion, 6) AS true_conversion,
    results.lift, results.lift_low, results.lift_high,
    round(own.conversion / nullif(control.conversion, 0) - 1, 6) AS true_lift
FROM mart.experiment_results AS results
LEFT JOIN means AS own USING (simulation, run_id, experiment, arm)
LEFT JOIN means AS control ON results.arm <> 'control' AND control.arm = 'control'
    AND (control.simulation, control.run_id, control.experiment)
    = (results.simulation, results.run_id, results.experiment);
COMMENT ON VIEW ops.experiment_lifts IS 'The estimated lift of each arm of mart.experiment_results, beside the true one.';
COMMENT ON COLUMN ops.experiment_lifts.simulation IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.run_id IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.experiment IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.arm IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.sessions IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.conversion IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.true_conversion IS 'Mean over the arm''s sessions of the conversion in ops.experiments at their start; null without it.';
COMMENT ON COLUMN ops.experiment_lifts.lift IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.lift_low IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.lift_high IS 'As in mart.experiment_results.';
COMMENT ON COLUMN ops.experiment_lifts.true_lift IS 'True conversion relative to that of the control, minus 1; null for the control, and without the true conversions.';
