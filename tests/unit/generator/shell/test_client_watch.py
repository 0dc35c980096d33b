"""The watch on a Kafka client: a broker that is down is waited for, a lost one is an error."""

from __future__ import annotations

import json

import pytest
from clickstream_generator.errors import BrokersLost
from clickstream_generator.shell.client_watch import ClientWatch
from confluent_kafka import Producer


def _report(*sources: str) -> str:
    return json.dumps({"brokers": {source: {"source": source} for source in sources}})


def test_reports_in_a_row_count() -> None:
    """One report without a broker is a moment; two in a row mean that the client lost them all."""
    watch = ClientWatch()
    for report in (_report(), _report("learned"), _report("logical", "internal")):
        watch.take(report)
        watch.check()
    watch.take(_report("logical"))
    with pytest.raises(BrokersLost):
        watch.check()


def test_absent_broker_is_known() -> None:
    """A client whose broker does not answer still has the configured one in its statistics."""
    watch = ClientWatch()
    reports: list[str] = []
    settings = watch.settings() | {"statistics.interval.ms": 20, "stats_cb": reports.append}
    client = Producer({"bootstrap.servers": "127.0.0.1:9", "log_level": 0, **settings})
    while len(reports) < 5:
        client.poll(0.1)
    for report in reports:
        watch.take(report)
        watch.check()
