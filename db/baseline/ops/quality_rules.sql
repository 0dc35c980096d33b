CREATE TABLE ops.quality_rules (
    rule text PRIMARY KEY,
    field text NOT NULL,
    severity text NOT NULL,
    reason text NOT NULL,
    doc text NOT NULL
);
COMMENT ON TABLE ops.quality_rules IS 'The quality rules: one row per rule.';
COMMENT ON COLUMN ops.quality_rules.rule IS 'The rule: field and reason.';
COMMENT ON COLUMN ops.quality_rules.field IS 'The field it is about; record for the whole.';
COMMENT ON COLUMN ops.quality_rules.severity IS 'reject: the record is not stored as an event; flag: the event is stored and marked.';
COMMENT ON COLUMN ops.quality_rules.reason IS 'What is wrong when the rule is broken.';
COMMENT ON COLUMN ops.quality_rules.doc IS 'The rule in words.';

GRANT INSERT, UPDATE ON ops.quality_rules TO clickstream_writer;
