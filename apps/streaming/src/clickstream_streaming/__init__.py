"""The stream: writes events from Kafka to PostgreSQL, each exactly once, also after crashes.

``core`` validates records and holds the SQL; ``shell`` reads, writes and monitors.
"""
