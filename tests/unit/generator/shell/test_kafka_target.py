"""The Kafka cluster of the command: its settings, and the topics that it may use."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import EventOutput
from clickstream_generator.core.form_tables import NATIVE
from clickstream_generator.errors import BrokerRefused, OutputRefused
from clickstream_generator.shell import kafka_target
from clickstream_generator.shell.kafka_target import (
    KafkaOptions,
    KafkaTarget,
    kafka_settings,
    read_client_file,
)
from confluent_kafka import KafkaError, KafkaException

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.settings import KafkaSettings


@pytest.fixture
def settings() -> KafkaSettings:
    """KafkaSettings for a cluster that does not exist."""
    return _settings()


def _settings(client: dict[str, str] | None = None, **options: str) -> KafkaSettings:
    return kafka_settings({"bootstrap_servers": "h:1"} | options, client or {})


def test_client_file_is_read(tmp_path: Path) -> None:
    """Names of access are read; blanks, comments and signs within values do not matter."""
    file = tmp_path / "client.properties"
    file.write_text(
        "# ours\n\nbootstrap.servers = h:1,i:2\nsasl.password=a=b#c\nssl.ca.location=/ca.pem\n",
        encoding="utf-8",
    )

    assert read_client_file(file) == {
        "bootstrap.servers": "h:1,i:2",
        "sasl.password": "a=b#c",
        "ssl.ca.location": "/ca.pem",
    }


@pytest.mark.parametrize("line", ["enable.idempotence=false", "sasl.password", "secret-alone"])
def test_other_line_is_refused(tmp_path: Path, line: str) -> None:
    """What changes how records are sent is refused by line and name; no value is shown."""
    file = tmp_path / "client.properties"
    file.write_text(f"client.id=x\n{line}\n", encoding="utf-8")

    with pytest.raises(SimulationInvalid) as refused:
        read_client_file(file)
    assert refused.value.path == f"{file}, line 2"
    assert "name=value with one of these names: bootstrap.servers" in refused.value.allowed
    assert "false" not in refused.value.value


def test_missing_client_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is named with its option."""
    with pytest.raises(SimulationInvalid, match="--kafka-config"):
        read_client_file(tmp_path / "none")


def test_option_comes_before_the_file() -> None:
    """An option replaces the file's line; what only the file has stays for the client."""
    client = {
        "bootstrap.servers": "file:1",
        "security.protocol": "SSL",
        "sasl.username": "u",
        "ssl.endpoint.identification.algorithm": "none",
    }
    found = _settings(client, security_protocol="SASL_SSL")

    assert (found.bootstrap_servers, found.security_protocol) == ("h:1", "SASL_SSL")
    assert client == {
        "sasl.username": "u", "ssl.endpoint.identification.algorithm": "none",
    }  # fmt: skip


def test_file_names_the_servers() -> None:
    """Without servers in ``--output``, those of the file are used."""
    found = _settings({"bootstrap.servers": "file:1"}, bootstrap_servers="")

    assert found.bootstrap_servers == "file:1"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bootstrap_servers": ""}, "--output: 'kafka' is not allowed; add the servers"),
        ({"security_protocol": "TLS"}, "--security-protocol: 'TLS' is not allowed; it must be one"),
        ({"ca_file": "/none"}, "--ca-file: '/none' is not allowed; it must be a file that exists"),
        ({"sasl_mechanism": "X"}, "--sasl-mechanism"),
    ],
)
def test_wrong_option_is_named(options: dict[str, str], says: str) -> None:
    """An option that cannot be used is named as it was given."""
    with pytest.raises(SimulationInvalid) as refused:
        _settings({}, **options)
    assert str(refused.value).startswith(says)


def _consumer(monkeypatch: pytest.MonkeyPatch, topics: dict[str, Any]) -> list[bool]:
    """Give the cluster topics, each with its partitions' offsets or an error."""
    closed: list[bool] = []

    class _Consumer:
        def __init__(self, _settings: object) -> None:
            pass

        def list_topics(self, name: str, timeout: float) -> object:
            assert timeout
            found = topics[name]
            if isinstance(found, KafkaException):
                raise found
            is_error = isinstance(found, KafkaError)
            row = SimpleNamespace(
                error=found if is_error else None,
                partitions={} if is_error else dict.fromkeys(range(len(found))),
            )
            return SimpleNamespace(topics={name: row})

        def get_watermark_offsets(self, at: Any, timeout: float) -> tuple[int, int]:  # noqa: ANN401
            assert timeout
            offsets: tuple[int, int] = topics[at.topic][at.partition]
            return offsets

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(kafka_target, "Consumer", _Consumer)
    return closed


def test_topic_with_records_is_refused(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that holds something is named with its count and what to do."""
    closed = _consumer(monkeypatch, {"shop": [(5, 5), (10, 1_244)], "ledger": [(0, 0)]})

    with pytest.raises(OutputRefused) as refused:
        KafkaTarget(settings, "shop", "ledger").check_is_free()
    assert str(refused.value) == (
        "topic shop holds 1,234 records; nothing was changed;"
        " choose an empty topic, or add --append"
    )
    assert closed == [True]


def test_ledger_topic_is_looked_at_too(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's topic must be free as well; without one only the events' is looked at."""
    _consumer(monkeypatch, {"shop": [(5, 5)], "ledger": [(0, 1)]})

    KafkaTarget(settings, "shop", None).check_is_free()
    with pytest.raises(OutputRefused, match="topic ledger holds 1 records"):
        KafkaTarget(settings, "shop", "ledger").check_is_free()


def test_missing_topic_is_named(settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing topic is named; an unreachable cluster is an error with the setting to check."""
    _consumer(monkeypatch, {"shop": KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)})
    with pytest.raises(OutputRefused, match="topic shop does not exist"):
        KafkaTarget(settings, "shop", None).check_is_free()

    _consumer(monkeypatch, {"shop": KafkaException(KafkaError(KafkaError._TRANSPORT))})
    with pytest.raises(BrokerRefused, match="check --output"):
        KafkaTarget(settings, "shop", None).check_is_free()


def test_wrong_client_setting_is_named(settings: KafkaSettings) -> None:
    """An unknown setting of the client is refused."""
    target = KafkaTarget(settings, "shop", None, {"ssl.mood": "good"})

    with pytest.raises(BrokerRefused, match=r"ssl\.mood"):
        target.sink(NATIVE)


def test_missing_topics_are_created(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing topic is created like the contract's and not checked; others are unchanged."""
    made: list[Any] = []

    class _Admin:
        def __init__(self, _settings: object) -> None:
            pass

        def list_topics(self, timeout: float) -> object:
            assert timeout
            return SimpleNamespace(topics={"shop": None})

        def create_topics(self, rows: list[Any], operation_timeout: float) -> dict[str, object]:
            assert operation_timeout
            made.extend(rows)
            return {row.topic: SimpleNamespace(result=lambda: None) for row in rows}

    monkeypatch.setattr(kafka_target, "AdminClient", _Admin)
    _consumer(monkeypatch, {"shop": [(0, 1)]})

    assert KafkaTarget(settings, "shop", None).create_missing() == []
    target = KafkaTarget(settings, "mine", "its")
    assert target.create_missing() == ["mine", "its"]
    assert [(row.topic, row.num_partitions) for row in made] == [("mine", 4), ("its", 1)]
    assert made[0].config["message.timestamp.type"] == "LogAppendTime"
    target.check_is_free(["mine", "its"])


@pytest.mark.parametrize(
    ("topic", "ledger", "expected"),
    [
        (None, None, ("its", "its-ledger")),
        ("its", None, ("its", "its-ledger")),
        ("mine", None, ("mine", None)),
        ("mine", "mine-ledger", ("mine", "mine-ledger")),
        (None, "mine-ledger", ("its", "mine-ledger")),
    ],
)
def test_topics_are_the_simulations(
    settings: KafkaSettings, topic: str | None, ledger: str | None, expected: tuple[str, str | None]
) -> None:
    """Without options, the topics are the output's; another topic has no ledger by itself."""
    output = EventOutput.model_validate({"topic": "its", "ledgerTopic": "its-ledger"})

    target = KafkaOptions(settings, topic, ledger, {"ssl.mood": "good"}).target(output)

    assert (target.topic, target.ledger_topic) == expected
    assert dict(target.client) == {"ssl.mood": "good"}


@pytest.mark.parametrize(
    ("topic", "ledger", "says"),
    [
        ("__consumer_offsets", None, "--topic: '__consumer_offsets' is not allowed"),
        ("clickstream.shards.v1", None, "--topic: 'clickstream.shards.v1' is not allowed"),
        ("a", "__x", "--ledger-topic: '__x' is not allowed"),
        ("a", "a", "--ledger-topic: 'a' is not allowed; name another topic than --topic"),
    ],
)
def test_topic_has_no_other_task(
    settings: KafkaSettings, topic: str, ledger: str | None, says: str
) -> None:
    """Kafka's own topics, that of the shards, and one topic for both are refused."""
    with pytest.raises(SimulationInvalid, match=says):
        KafkaOptions(settings, topic, ledger).target(EventOutput())
