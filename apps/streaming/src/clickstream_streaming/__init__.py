"""The stream: events from Kafka into PostgreSQL, each exactly once whatever crashes.

``core`` is DataFrame to DataFrame, and SQL as text; ``shell`` reads, writes and watches.
"""
