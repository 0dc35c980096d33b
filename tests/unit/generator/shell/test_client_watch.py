"""The watch on a Kafka client: a broker that is down is waited for, a lost one is an error."""

from __future__ import annotations

import json

import pytest
from clickstream_generator.errors import BrokersLost
from clickstream_generator.shell.client_watch import ClientWatch
from confluent_kafka import Consumer, Producer, TopicPartition

_ABSENT = {
    "bootstrap.servers": "127.0.0.1:9",
    "log_level": 0,
    "statistics.interval.ms": 100,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 50,
}


def _broker(**fields: object) -> dict[str, object]:
    quiet = {"source": "learned", "state": "UP", "stateage": 5_000_000, "waitresp_cnt": 0}
    return quiet | {"req": {}} | fields


def _report(*brokers: dict[str, object], kind: str = "consumer", messages: int = 0) -> str:
    named = {str(place): broker for place, broker in enumerate(brokers)}
    return json.dumps({"type": kind, "msg_cnt": messages, "brokers": named})


def _is_lost(*reports: str) -> bool:
    watch = ClientWatch()
    try:
        for report in reports:
            watch.take(report)
            watch.check()
    except BrokersLost:
        return True
    return False


@pytest.mark.parametrize(
    "brokers",
    [
        pytest.param((), id="none is known"),
        pytest.param((_broker(source="logical", state="CONNECT"),), id="no address"),
        pytest.param((_broker(state="INIT"),), id="never connected"),
        pytest.param((_broker(req={"Fetch": 7, "Metadata": 1}),), id="connected, not asked"),
    ],
)
def test_client_at_rest_is_lost(brokers: tuple[dict[str, object], ...]) -> None:
    """A client with work that neither connects nor sends for three reports is lost."""
    for kind, messages in (("consumer", 0), ("producer", 1)):
        report = _report(*brokers, kind=kind, messages=messages)
        assert _is_lost(*[report] * 4)
        assert not _is_lost(*[report] * 2)
    assert not _is_lost(*[_report(*brokers, kind="producer")] * 9)


@pytest.mark.parametrize(
    ("odd", "even"),
    [
        ({"state": "TRY_CONNECT"}, {"state": "APIVERSION_QUERY"}),
        ({"state": "INIT", "stateage": 4_999_999}, {"state": "DOWN", "stateage": 0}),
        ({"waitresp_cnt": 1}, {"waitresp_cnt": 2}),
        ({"req": {"Fetch": 4}}, {"req": {"Fetch": 5}}),
        ({"req": {"Produce": 4}}, {"req": {}}),
    ],
)
def test_client_at_work_is_waited_for(odd: dict[str, object], even: dict[str, object]) -> None:
    """Connecting, sending, and waiting for a response are signs of work; one sign is enough."""
    signs = [_report(_broker(**sign), _broker()) for sign in (odd, even) * 3]
    assert not _is_lost(*signs)
    rest = [_report(_broker())] * 2
    assert not _is_lost(*rest, signs[0], *rest, signs[0], *rest)
    assert _is_lost(*signs, *rest, *rest)


def _reports(client: Consumer | Producer, reports: list[str]) -> list[str]:
    while len(reports) < 8:
        client.poll(0.1)
    return reports


def test_producer_without_broker_is_waited_for() -> None:
    """A real producer whose broker does not answer shows signs of work in its statistics."""
    reports: list[str] = []
    producer = Producer({**_ABSENT, "stats_cb": reports.append})
    producer.produce("events", b"one")
    assert not _is_lost(*_reports(producer, reports))
    producer.purge()


def test_consumer_without_broker_is_waited_for() -> None:
    """A real consumer whose broker does not answer shows signs of work in its statistics."""
    reports: list[str] = []
    consumer = Consumer({**_ABSENT, "group.id": "tested", "stats_cb": reports.append})
    consumer.assign([TopicPartition("events", 0, 0)])
    assert not _is_lost(*_reports(consumer, reports))
    consumer.close()
