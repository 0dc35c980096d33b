CREATE TABLE ops.quality_minute_by_writer (
    minute timestamptz NOT NULL,
    rule text NOT NULL,
    records bigint NOT NULL,
    writer integer NOT NULL,
    PRIMARY KEY (minute, rule, writer)
) WITH (fillfactor = 70);
COMMENT ON TABLE ops.quality_minute_by_writer IS 'ops.quality_minute by writer.';
COMMENT ON COLUMN ops.quality_minute_by_writer.minute IS 'For rejects when Kafka got it, for flags event time; its start.';
COMMENT ON COLUMN ops.quality_minute_by_writer.rule IS 'The rule, as in ops.quality_rules.';
COMMENT ON COLUMN ops.quality_minute_by_writer.records IS 'Records that broke it.';
COMMENT ON COLUMN ops.quality_minute_by_writer.writer IS 'Number of the writer: no two transactions that ran at the same time had the same. Only all writers'' rows of a key together mean something.';

GRANT INSERT, UPDATE ON ops.quality_minute_by_writer TO clickstream_writer;
