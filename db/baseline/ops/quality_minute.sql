CREATE TABLE ops.quality_minute (
    minute timestamptz NOT NULL,
    rule text NOT NULL,
    records bigint NOT NULL,
    PRIMARY KEY (minute, rule)
) WITH (fillfactor = 70);
COMMENT ON TABLE ops.quality_minute IS 'Records that broke a rule, per minute.';
COMMENT ON COLUMN ops.quality_minute.minute IS 'For rejects when Kafka got it, for flags event time; its start.';
COMMENT ON COLUMN ops.quality_minute.rule IS 'The rule, as in ops.quality_rules.';
COMMENT ON COLUMN ops.quality_minute.records IS 'Records that broke it.';

GRANT INSERT, UPDATE ON ops.quality_minute TO clickstream_writer;
