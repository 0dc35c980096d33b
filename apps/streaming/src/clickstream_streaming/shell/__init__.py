"""The shell: Spark's session, Kafka, PostgreSQL, checkpoints and metrics."""
