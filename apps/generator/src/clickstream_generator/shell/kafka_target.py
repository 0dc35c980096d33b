"""The Kafka cluster of ``clickstream generate``.

Owns the file of client settings, the check that a topic is empty, and the creation of missing
topics.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import INTERNAL
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from clickstream_generator.errors import OutputRefused
from clickstream_generator.settings import PREFIX, kafka_settings_from
from clickstream_generator.shell.formed_sink import kafka_sink
from clickstream_generator.shell.kafka_sink import client_settings, refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from clickstream_contract.output import EventOutput

    from clickstream_generator.core.form_rows import Form
    from clickstream_generator.settings import KafkaSettings
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["KafkaOptions", "KafkaTarget", "kafka_settings", "read_client_file"]

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
"""Settings with an option, and their librdkafka names."""
_CLIENT_KEYS = (_SERVERS, "security.protocol", "client.id")
_CLIENT_PREFIXES = ("sasl.", "ssl.", "socket.", "broker.address.")
"""The settings that a file may set: connection settings, and none for sending records."""


def read_client_file(path: Path) -> dict[str, str]:
    """Return the settings of a file with lines ``name=value``, by librdkafka's names.

    Raises:
        SimulationInvalid: The file cannot be read, or a line is invalid.
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
            # Do not show the line: it may hold a password.
            raise SimulationInvalid(
                f"{path}, line {place}",
                name if is_there else None,
                f"it must be name=value with one of these names: {known}",
            )
        found[name] = value
    return found


def kafka_settings(options: Mapping[str, str | None], client: dict[str, str]) -> KafkaSettings:
    """Return settings from the command line's options, which override those of a file.

    Args:
        options: Options, by the settings' names.
        client: The file's settings, by librdkafka's names; overridden ones are removed.

    Raises:
        SimulationInvalid: An option is missing or out of bounds.
    """
    given = {PREFIX + name.upper(): value for name, value in options.items() if value}
    for name, known in _KNOWN.items():
        if options.get(name):
            client.pop(known, None)
    servers = client.pop(_SERVERS, "")
    given = {PREFIX + "BOOTSTRAP_SERVERS": servers, **given}
    try:
        return kafka_settings_from(given)
    except SettingsInvalid as error:
        name = error.name.removeprefix(PREFIX).lower().replace("_", "-")
        if error.value is None:
            raise SimulationInvalid(
                "--output", "kafka", "add the servers, such as kafka:localhost:9092"
            ) from None
        raise SimulationInvalid(f"--{name}", error.value, f"it must be {error.allowed}") from None


@dataclass(frozen=True)
class KafkaOptions:
    """The options of a command for Kafka.

    Attributes:
        settings: The connection settings.
        topic: The topic for events; the simulation's if absent.
        ledger_topic: The topic for the ledger; the simulation's if absent and the topic for events
            is the simulation's too.
        client: Further client settings, by librdkafka's names.
    """

    settings: KafkaSettings
    topic: str | None = None
    ledger_topic: str | None = None
    client: Mapping[str, str] = field(default_factory=dict)

    def target(self, output: EventOutput) -> KafkaTarget:
        """Return the topics of a simulation with this ``spec.output``.

        Raises:
            SimulationInvalid: An option names a topic that has another task.
        """
        topic = self.topic or output.topic
        its_ledger = output.ledger_topic if topic == output.topic else None
        ledger = self.ledger_topic or its_ledger
        for option, name in (("--topic", topic), ("--ledger-topic", ledger)):
            if name is not None and (name.startswith(INTERNAL) or name == SHARDS.name):
                raise SimulationInvalid(option, name, "name a topic that has no other task")
        if topic == ledger:
            raise SimulationInvalid("--ledger-topic", ledger, "name another topic than --topic")
        return KafkaTarget(self.settings, topic, ledger, self.client)


@dataclass(frozen=True)
class KafkaTarget:
    """The topics of a cluster.

    Attributes:
        settings: The connection settings.
        topic: The topic for events.
        ledger_topic: The topic for the ledger; ``None`` for no ledger.
        client: Further client settings, by librdkafka's names.
    """

    settings: KafkaSettings
    topic: str
    ledger_topic: str | None
    client: Mapping[str, str] = field(default_factory=dict)

    def sink(self, form: Form) -> KafkaSink:
        """Return a sink for the events' topic, which sends records in a form."""
        with self._naming_settings():
            return kafka_sink(self.settings, self.topic, form, self.client)

    def create_missing(self) -> list[str]:
        """Create the missing topics, with the contract's partitions and settings.

        Returns:
            The names of the created topics.

        Raises:
            BrokerRefused: The cluster refuses, or does not answer.
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
        """Raise an error if a topic holds records.

        Args:
            created: Topics that were just created; they are not checked.

        Raises:
            BrokerRefused: A topic cannot be read.
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
                        "choose an empty topic, or add --append",
                    )
        finally:
            consumer.close()

    def _records(self, consumer: Consumer, name: str) -> int:
        with self._naming_settings():
            topic = consumer.list_topics(name, timeout=_SECONDS).topics[name]
            if topic.error is not None:
                if topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise OutputRefused(
                        f"topic {name}", "does not exist", "create it, or add --create-topics"
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
        """Convert a client's error into ``BrokerRefused``."""
        try:
            yield
        except KafkaException as failure:
            raise refusal(failure.args[0], "--output and the options for Kafka") from None
