"""A Kafka cluster that is not ours: how it is reached, and whether its topics are free.

Owns the file of client settings, the check that a topic holds nothing of others, and the creation
of topics that are not there.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.topics import EVENTS, LEDGER
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from clickstream_generator.errors import OutputRefused
from clickstream_generator.settings import PREFIX, settings_from
from clickstream_generator.shell.kafka_sink import KafkaSink, client_settings, refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from clickstream_generator.settings import Settings

__all__ = ["KafkaTarget", "kafka_settings", "read_client_file"]

_SECONDS = 15.0
_SERVERS = "bootstrap.servers"
_KNOWN = {
    "bootstrap_servers": _SERVERS,
    "security_protocol": "security.protocol",
    "ca_file": "ssl.ca.location",
    "username": "sasl.username",
    "password_file": "sasl.password",
    "sasl_mechanism": "sasl.mechanism",
}
"""Settings that have a name of their own here, and librdkafka's."""
_CLIENT_KEYS = (_SERVERS, "security.protocol", "client.id")
_CLIENT_PREFIXES = ("sasl.", "ssl.", "socket.", "broker.address.")
"""What a file may set: how the cluster is reached, and not how records are sent."""


def read_client_file(path: Path) -> dict[str, str]:
    """Return the settings of a file with lines ``name=value``, by librdkafka's names.

    Raises:
        SimulationInvalid: The file cannot be read, or a line is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationInvalid(
            "--kafka-config", str(path), f"it cannot be read: {error}"
        ) from None
    found = {}
    for place, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, is_there, value = (part.strip() for part in text.partition("="))
        if not is_there or not (name in _CLIENT_KEYS or name.startswith(_CLIENT_PREFIXES)):
            known = ", ".join((*_CLIENT_KEYS, *(f"{prefix}*" for prefix in _CLIENT_PREFIXES)))
            # Not the line: it may hold a password.
            raise SimulationInvalid(
                f"{path}, line {place}", name, f"name=value with a name of these: {known}"
            )
        found[name] = value
    return found


def kafka_settings(
    options: Mapping[str, str | None], client: dict[str, str], simulation_file: Path | None
) -> Settings:
    """Return settings from the command line's options, which come before those of a file.

    Args:
        options: By the settings' names.
        client: By librdkafka's names; what an option has is removed.
        simulation_file: Of the run.

    Raises:
        SimulationInvalid: An option is missing or out of bounds.
    """
    given = {PREFIX + name.upper(): value for name, value in options.items() if value}
    for name, known in _KNOWN.items():
        if options.get(name):
            client.pop(known, None)
    servers = client.pop(_SERVERS, "")
    given = {PREFIX + "BOOTSTRAP_SERVERS": servers, **given}
    given[PREFIX + "SIMULATION_FILE"] = str(simulation_file)
    try:
        return settings_from(given)
    except SettingsInvalid as error:
        name = error.name.removeprefix(PREFIX).lower().replace("_", "-")
        if error.value is None:
            raise SimulationInvalid(
                "--output", "kafka", "name the servers, such as kafka:localhost:9092"
            ) from None
        raise SimulationInvalid(f"--{name}", error.value, f"it must be {error.allowed}") from None


@dataclass(frozen=True)
class KafkaTarget:
    """Topics of a cluster.

    Attributes:
        settings: How the cluster is reached.
        topic: Where events go.
        ledger_topic: Where the ledger goes; ``None`` if to no topic.
        client: Further settings, by librdkafka's names.
    """

    settings: Settings
    topic: str
    ledger_topic: str | None
    client: Mapping[str, str] = field(default_factory=dict)

    def sink(self) -> KafkaSink:
        """Return a sink to the events' topic."""
        with self._naming_settings():
            return KafkaSink(self.settings, self.topic, self.client)

    def create_missing(self) -> list[str]:
        """Create the topics that are not there, with the contract's partitions and settings.

        Returns:
            The names of those that it has created.

        Raises:
            BrokerRefused: The cluster does not create them, or does not answer.
        """
        with self._naming_settings():
            admin = AdminClient(self._client())
            there = admin.list_topics(timeout=_SECONDS).topics
            wanted = {self.topic: EVENTS, self.ledger_topic: LEDGER}
            rows = {
                name: NewTopic(name, topic.partitions, config=topic.settings)
                for name, topic in wanted.items()
                if name is not None and name not in there
            }
            if rows:
                created = admin.create_topics([*rows.values()], operation_timeout=_SECONDS)
                for done in created.values():
                    done.result()
            return list(rows)

    def check_is_free(self, created: Collection[str] = ()) -> None:
        """Refuse a topic that holds records.

        Args:
            created: Topics that were just created; they are not looked at.

        Raises:
            BrokerRefused: A topic is not there or cannot be read.
            OutputRefused: A topic holds records.
        """
        with self._naming_settings():
            consumer = Consumer({**self._client(), "group.id": "clickstream-generator"})
        try:
            for name in (self.topic, self.ledger_topic):
                held = 0 if name is None or name in created else self._records(consumer, name)
                if held:
                    raise OutputRefused(
                        f"topic {name}",
                        f"holds {held:,} records",
                        "name an empty topic, or add --append to send behind them",
                    )
        finally:
            consumer.close()

    def _records(self, consumer: Consumer, name: str) -> int:
        with self._naming_settings():
            topic = consumer.list_topics(name, timeout=_SECONDS).topics[name]
            if topic.error is not None:
                if topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise OutputRefused(
                        f"topic {name}", "is not there", "create it, or add --create-topics"
                    )
                raise refusal(topic.error)
            held = 0
            for partition in topic.partitions:
                low, high = consumer.get_watermark_offsets(
                    TopicPartition(name, partition), timeout=_SECONDS
                )
                held += high - low
            return held

    def _client(self) -> dict[str, Any]:
        return {**client_settings(self.settings), **self.client}

    @contextmanager
    def _naming_settings(self) -> Iterator[None]:
        """Name what the client or the cluster refuses."""
        try:
            yield
        except KafkaException as failure:
            raise refusal(failure.args[0], "--output and the options for Kafka") from None
