"""The local mode: the whole pipeline as processes of one user, with one command.

Starts the real Kafka, PostgreSQL and Spark from packages, and shows their state.
"""
