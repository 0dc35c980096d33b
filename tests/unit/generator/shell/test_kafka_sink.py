"""The sink: records in flight, the order of batches, and refusals by Kafka."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_generator.core.partitions import partitions_of
from clickstream_generator.errors import BrokerRefused, BrokersLost
from clickstream_generator.settings import Settings
from clickstream_generator.shell.kafka_sink import (
    KafkaSink,
    client_settings,
    is_hopeless,
    producer_settings,
    refusal,
)
from clickstream_generator.shell.sink import Batch
from confluent_kafka import KafkaError, KafkaException

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = Settings(simulation_file=Path(__file__), bootstrap_servers="127.0.0.1:9")
CAUSE = "ProduceRequest failed: Broker: Message size too large"
KEYS = [f"{number:036d}".encode() for number in range(40)]


class _Producer:
    """A producer whose deliveries the test reports."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.published: list[tuple[str, bytes, bytes | None]] = []
        self.partitions: list[int] = []
        self.headers: list[list[tuple[str, str]] | None] = []
        self.purges: list[bool] = []
        self.reports: list[Callable[[KafkaError | None, object], None]] = []

    def __len__(self) -> int:
        """Return what has not been reported."""
        return len(self.sent) + len(self.published)

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        """Return a topic with four partitions."""
        assert timeout > 0
        known = SimpleNamespace(error=None, partitions=dict.fromkeys(range(4)))
        return SimpleNamespace(topics={topic: known})

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]]) -> int:
        """Queue all records."""
        self.sent += messages
        self.reports += [row["callback"] for row in messages if "callback" in row]
        return len(messages)

    def produce(
        self,
        topic: str,
        *,
        value: bytes | None,
        key: bytes,
        partition: int,
        headers: list[tuple[str, str]] | None = None,
        on_delivery: Callable[[KafkaError | None, object], None] | None = None,
    ) -> None:
        """Queue one record."""
        self.headers.append(headers)
        self.published.append((topic, key, value))
        self.partitions.append(partition)
        if on_delivery is not None:
            self.reports.append(on_delivery)

    def purge(self, *, in_flight: bool = True) -> None:
        """Drop queued records, and records in flight on request."""
        self.purges.append(in_flight)

    def poll(self, _seconds: float) -> int:
        """Report nothing by itself."""
        return 0


class _GivenUp(_Producer):
    """A producer that has failed and has not reported the cause yet."""

    def __init__(self, sink: KafkaSink) -> None:
        super().__init__()
        self._sink = sink

    def produce_batch(self, _topic: str, messages: list[dict[str, Any]]) -> int:
        """Refuse all."""
        messages[0]["_error"] = KafkaError(KafkaError._FATAL)
        return 0

    def produce(self, *_: object, **__: object) -> None:
        """Refuse one."""
        raise KafkaException(KafkaError(KafkaError._FATAL))

    def poll(self, _seconds: float) -> int:
        """Return the cause."""
        self._sink._noticed(KafkaError(KafkaError._FATAL, CAUSE, fatal=True))
        return 1


class _GivenUpLoudly(_GivenUp):
    """A producer that says why it has given up by an exception."""

    def poll(self, _seconds: float) -> int:
        """Raise the cause."""
        raise KafkaException(KafkaError(KafkaError._FATAL, CAUSE, fatal=True))


@pytest.fixture
def producer() -> _Producer:
    """Return a producer that takes everything."""
    return _Producer()


@pytest.fixture
def sink(producer: _Producer) -> KafkaSink:
    """Return a sink with that producer."""
    made = KafkaSink(replace(SETTINGS, queue_records=50), "events")
    made._producer = producer  # type: ignore[assignment]
    return made


@pytest.fixture(params=[_GivenUp, _GivenUpLoudly])
def hopeless(request: pytest.FixtureRequest) -> KafkaSink:
    """Return a sink whose producer has given up; its client may say why in either way."""
    made = KafkaSink(SETTINGS, "events")
    made._producer = request.param(made)
    made._partitions = 1
    return made


def test_refused_record_names_the_cause(hopeless: KafkaSink) -> None:
    """The cause may come after the first refusal; it is waited for."""
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        hopeless.send([(b"{}", 36 * b"k")], Batch())


def test_refused_state_names_the_cause(hopeless: KafkaSink) -> None:
    """Records for other topics use the same producer."""
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        hopeless.publish("shards", [(b"key", b"state")], Batch())


def test_records_go_to_javas_partition(sink: KafkaSink, producer: _Producer) -> None:
    """Records go in order to their keys' partitions, with one report per partition."""
    sink.send([(b"{}", key) for key in KEYS], Batch())

    assert [row["key"] for row in producer.sent] == KEYS
    assert [row["partition"] for row in producer.sent] == partitions_of(KEYS, 4).tolist()
    last = {row["partition"]: place for place, row in enumerate(producer.sent)}
    asked = {place for place, row in enumerate(producer.sent) if "callback" in row}
    assert asked == set(last.values())


def test_batch_completes_with_its_reports(sink: KafkaSink, producer: _Producer) -> None:
    """A batch is returned once each of its partitions is reported, not before."""
    batch = Batch(tally={(0, 0): object()})  # type: ignore[dict-item]
    assert sink.is_idle()
    sink.send([(b"{}", key) for key in KEYS], batch)

    assert not sink.is_idle()
    assert sink.tallies() == [batch.tally]
    for report in producer.reports:
        assert sink.poll(0) == []
        report(None, object())

    assert sink.poll(0) == [batch]
    assert sink.is_idle()
    assert sink.tallies() == []


def test_batches_complete_in_order(sink: KafkaSink, producer: _Producer) -> None:
    """A later batch waits for those before it; one without records is complete at once."""
    first, second, empty = Batch(), Batch(), Batch()
    sink.send([(b"{}", KEYS[0])], first)
    sink.publish("ledger", [(b"k", b"v")], second)
    sink.send([], empty)

    producer.reports[1](None, object())
    assert sink.poll(0) == []
    producer.reports[0](None, object())

    assert sink.poll(0) == [first, second, empty]
    assert producer.published == [("ledger", b"k", b"v")]


def test_state_goes_to_the_partition_named(sink: KafkaSink, producer: _Producer) -> None:
    """Other records use the given partition, or the one of their key."""
    sink.publish("ledger", [(b"k", b"v")], Batch())
    sink.publish("shards", [(b"k", b"v"), (b"l", None)], Batch(), 1)

    assert producer.partitions == [-1, 1, 1]


def test_mention_is_not_waited_for(sink: KafkaSink, producer: _Producer) -> None:
    """Unconfirmed records request no report, and delay no batch."""
    sink.publish_unconfirmed("shards", [(b"k", b"v")], 0)

    assert producer.published == [("shards", b"k", b"v")]
    assert producer.partitions == [0]
    assert producer.reports == []
    assert sink.is_idle()


def test_records_may_have_headers(producer: _Producer) -> None:
    """With headers, records leave in order, and the last of each partition reports for all."""
    made = KafkaSink(
        replace(SETTINGS, queue_records=50), "events", None, lambda value: [("v", str(value))]
    )
    made._producer = producer  # type: ignore[assignment]
    batch = Batch()
    made.send([(b"%d" % place, key) for place, key in enumerate(KEYS)], batch)

    assert [key for _, key, _ in producer.published] == KEYS
    assert producer.partitions == partitions_of(KEYS, 4).tolist()
    assert producer.headers[1] == [("v", "b'1'")]
    assert batch.waiting == len(producer.reports) == 4
    for report in producer.reports:
        report(None, object())
    assert made.poll(0) == [batch]


def test_refused_record_with_headers_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record with headers that the client refuses is raised with its cause."""
    made = KafkaSink(SETTINGS, "events", None, lambda _: [])
    made._producer = _GivenUp(made)  # type: ignore[assignment]
    monkeypatch.setattr(made, "_partitions", 1)
    with pytest.raises(BrokerRefused, match=r"max\.message\.bytes"):
        made.send([(b"{}", KEYS[0])], Batch())


def test_dropped_queue_is_purged(sink: KafkaSink, producer: _Producer) -> None:
    """A worker that lost its shards has the client forget what it has not sent, and only that."""
    sink.drop()

    assert producer.purges == [False]


def test_refused_record_ends_the_run(sink: KafkaSink, producer: _Producer) -> None:
    """A record that is refused for good is raised with its code by the next look."""
    sink.send([(b"{}", KEYS[0])], Batch())

    producer.reports[0](KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), object())

    with pytest.raises(BrokerRefused, match="check the user's ACLs") as caught:
        sink.poll(0)
    assert caught.value.code == "TOPIC_AUTHORIZATION_FAILED"


def test_aftermath_is_no_cause(sink: KafkaSink, producer: _Producer) -> None:
    """A record dropped after the producer's failure does not hide the cause."""
    sink.send([(b"{}", KEYS[0])], Batch())

    producer.reports[0](KafkaError(KafkaError._FATAL), object())

    assert sink.poll(0) == []
    assert sink.refusal is None


def test_room_ends_at_the_limit(sink: KafkaSink) -> None:
    """There is room up to the limit of records, and always if nothing is on its way."""
    assert sink.has_room(10**9)

    sink.send([(b"{}", key) for key in KEYS], Batch())

    assert sink.in_flight() == 40
    assert sink.has_room(10)
    assert not sink.has_room(11)


def test_room_ends_at_the_bytes(sink: KafkaSink, producer: _Producer) -> None:
    """Beyond 192 MiB on their way nothing is taken; acknowledged bytes do not count."""
    value = bytes(96 * 1024 * 1024)
    sink.send([(value, KEYS[0])], Batch())
    sink.send([(value, KEYS[0]), (None, KEYS[1])], Batch())
    assert sink.has_room(1)
    sink.send([(b"x", KEYS[0])], Batch())
    assert not sink.has_room(1)

    producer.reports[0](None, object())
    sink.poll(0)

    assert sink.has_room(1)


def test_missing_topic_is_refused(sink: KafkaSink, producer: _Producer) -> None:
    """Without its topic nothing is sent, and the error names the setting to check."""
    error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)

    def unknown(topic: str, timeout: float) -> SimpleNamespace:
        assert timeout > 0
        return SimpleNamespace(topics={topic: SimpleNamespace(error=error, partitions={})})

    producer.list_topics = unknown  # type: ignore[method-assign]

    with pytest.raises(BrokerRefused, match=r"topic events: .* whether it has been created"):
        sink.send([(b"{}", KEYS[0])], Batch())
    with pytest.raises(BrokerRefused, match=r"topic other: .* whether it has been created"):
        sink.check_topics("other")


def test_silent_broker_is_refused(sink: KafkaSink, producer: _Producer) -> None:
    """A broker that does not answer for its topics is a refusal too."""

    def silent(topic: str, timeout: float) -> SimpleNamespace:
        raise KafkaException(KafkaError(KafkaError._TRANSPORT, f"{topic} {timeout}"))

    producer.list_topics = silent  # type: ignore[method-assign]

    with pytest.raises(BrokerRefused, match="check the broker's log"):
        sink.send([(b"{}", KEYS[0])], Batch())


def test_failing_poll_is_a_refusal(sink: KafkaSink, producer: _Producer) -> None:
    """What the client raises while it is served is named like any refusal."""

    def fail(_seconds: float) -> int:
        raise KafkaException(KafkaError(KafkaError._SSL))

    producer.poll = fail  # type: ignore[method-assign]

    with pytest.raises(BrokerRefused, match="CLICKSTREAM_GENERATOR_CA_FILE"):
        sink.poll(0)


@pytest.mark.parametrize(
    ("code", "fatal", "hopeless"),
    [
        (KafkaError._AUTHENTICATION, False, True),
        (KafkaError.SASL_AUTHENTICATION_FAILED, False, True),
        (KafkaError._SSL, False, True),
        (KafkaError._UNKNOWN_TOPIC, False, True),
        (KafkaError._TRANSPORT, False, False),
        (KafkaError._ALL_BROKERS_DOWN, False, False),
        (KafkaError._TRANSPORT, True, True),
    ],
)
def test_hopeless_errors_are_known(code: int, fatal: bool, hopeless: bool) -> None:  # noqa: FBT001
    """Credentials, certificates and fatal errors do not go away; a broker that is down may."""
    assert is_hopeless(KafkaError(code, fatal=fatal)) is hopeless


def test_passing_trouble_is_not_kept(sink: KafkaSink) -> None:
    """Only an error of the connection that will not go away is kept."""
    sink._noticed(KafkaError(KafkaError._TRANSPORT))
    assert sink.refusal is None

    sink._noticed(KafkaError(KafkaError._SSL))
    assert sink.refusal is not None


def test_refusal_names_the_setting() -> None:
    """A refusal has Kafka's name, and the setting known for it or the one given."""
    known = refusal(KafkaError(KafkaError._AUTHENTICATION))
    other = refusal(KafkaError(KafkaError._TRANSPORT), "the network")

    assert (known.code, known.setting) == (
        "_AUTHENTICATION",
        "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE",
    )
    assert (other.code, other.setting) == ("_TRANSPORT", "the network")
    assert refusal(KafkaError(KafkaError._FATAL, CAUSE, fatal=True)).code == "MSG_SIZE_TOO_LARGE"


def test_plain_client_has_no_secrets() -> None:
    """Without credentials the client has address, name and protocol only."""
    assert client_settings(SETTINGS) == {
        "bootstrap.servers": "127.0.0.1:9",
        "client.id": "clickstream-generator",
        "security.protocol": "PLAINTEXT",
        "log_level": 3,
    }


def test_credentials_are_read_from_files(tmp_path: Path) -> None:
    """User and password come from their files, without the line's end."""
    (tmp_path / "user").write_text("shop\n", encoding="utf-8")
    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    settings = replace(
        SETTINGS,
        security_protocol="SASL_SSL",
        ca_file=tmp_path / "ca.crt",
        username="other",
        username_file=tmp_path / "user",
        password_file=tmp_path / "password",
    )

    found = client_settings(settings)

    assert found["security.protocol"] == "SASL_SSL"
    assert found["ssl.ca.location"] == str(tmp_path / "ca.crt")
    assert (found["sasl.username"], found["sasl.password"]) == ("shop", "secret")
    assert found["sasl.mechanism"] == "SCRAM-SHA-512"
    (tmp_path / "user").unlink()
    assert client_settings(settings)["sasl.username"] == "other"


def test_producer_never_gives_up() -> None:
    """The producer is idempotent and gapless, waits for all replicas, and has no time-out."""
    found = producer_settings(SETTINGS)

    assert found.items() >= client_settings(SETTINGS).items()
    assert found["enable.idempotence"] is True
    assert found["enable.gapless.guarantee"] is True
    assert found["acks"] == "all"
    assert found["message.timeout.ms"] == 0
    assert found["partitioner"] == "murmur2_random"
    assert found["queue.buffering.max.messages"] == 400_000
    assert found["queue.buffering.max.kbytes"] == 384 * 1024
    assert found["message.max.bytes"] == 2 * 1024 * 1024


def test_lost_brokers_are_an_error(sink: KafkaSink) -> None:
    """A client that has lost its brokers never acknowledges: the sink says so."""
    for _ in range(4):
        sink._watch.take('{"type": "producer", "msg_cnt": 1, "brokers": {}}')

    with pytest.raises(BrokersLost):
        sink.poll(0)
