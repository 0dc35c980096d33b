CREATE OR REPLACE VIEW ops.quality_minute AS
SELECT minute, rule, sum(records)::bigint AS records
FROM ops.quality_minute_by_writer
GROUP BY minute, rule;
COMMENT ON VIEW ops.quality_minute IS 'Records that broke a rule, per minute.';
COMMENT ON COLUMN ops.quality_minute.minute IS 'For rejects when Kafka got it, for flags event time; its start.';
COMMENT ON COLUMN ops.quality_minute.rule IS 'The rule, as in ops.quality_rules.';
COMMENT ON COLUMN ops.quality_minute.records IS 'Records that broke it.';
