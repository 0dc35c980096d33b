"""Metrics and health: what every long-running process shows of itself over HTTP.

:mod:`clickstream_health.registry` makes the contract's metrics, and
:mod:`clickstream_health.server` serves them beside liveness and readiness.
"""
