-- Only ops.extend_history() and ops.forget_verifications() change it.
CREATE TABLE ops.histories (
    relation text PRIMARY KEY,
    rows bigint NOT NULL,
    seals bigint NOT NULL
);
COMMENT ON TABLE ops.histories IS 'Number of rows and XOR of the seals of a table whose rows are only added: they show that a row is missing.';
COMMENT ON COLUMN ops.histories.relation IS 'The table.';
COMMENT ON COLUMN ops.histories.rows IS 'How many rows it has.';
COMMENT ON COLUMN ops.histories.seals IS 'The bitwise XOR of their seals.';

INSERT INTO ops.histories (relation, rows, seals) VALUES ('ops.verifications', 0, 0);
