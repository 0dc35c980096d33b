"""The world around it: Spark's session, Kafka, PostgreSQL, checkpoints, metrics."""
