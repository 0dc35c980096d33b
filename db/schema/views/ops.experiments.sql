CREATE OR REPLACE VIEW ops.experiments AS
SELECT runs.simulation, runs.run_id, stated.experiment, stated.arm,
    to_timestamp(stated.from_seconds) AS began_at, stated.share, stated.conversion, stated.lift
FROM ops.runs AS runs
CROSS JOIN LATERAL jsonb_to_recordset(runs.record -> 'experiments') AS stated (
    experiment text, arm text, from_seconds float8, share numeric, conversion numeric, lift numeric
);
COMMENT ON VIEW ops.experiments IS 'The arms of each run''s experiments, with their true conversion and lift, computed and not sampled.';
COMMENT ON COLUMN ops.experiments.simulation IS 'Full name of the simulation: namespace/name, or its name if it has no namespace.';
COMMENT ON COLUMN ops.experiments.run_id IS 'The run.';
COMMENT ON COLUMN ops.experiments.experiment IS 'The experiment.';
COMMENT ON COLUMN ops.experiments.arm IS 'The arm.';
COMMENT ON COLUMN ops.experiments.began_at IS 'Since when the figures hold, until the next row of the arm.';
COMMENT ON COLUMN ops.experiments.share IS 'Share of all sessions that are in the arm, from 0 to 1.';
COMMENT ON COLUMN ops.experiments.conversion IS 'Share of its sessions with an order, from 0 to 1; of the simulation at the start of the run.';
COMMENT ON COLUMN ops.experiments.lift IS 'Conversion relative to that of the control, minus 1; null for the control, and if the control sells nothing.';
