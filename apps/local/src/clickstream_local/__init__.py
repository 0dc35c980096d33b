"""The laptop mode: the whole pipeline as processes of one user, with one command.

Starts the real Kafka, PostgreSQL and Spark from what package registries hold, and knows how
to look at them. It refuses to know how events are made or stored: those are processes here.
"""
