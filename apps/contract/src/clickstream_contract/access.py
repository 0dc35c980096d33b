"""Who may do what in Kafka: the least with which each process works.

Owns the users and their rights. Operations are Kafka's own
(https://kafka.apache.org/documentation/#operations_in_kafka). It does not know how a broker is
told: for Strimzi that is ``k8s/kafka/users.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass

from clickstream_contract.topics import EVENTS, LEDGER, SHARDS

__all__ = ["GENERATOR", "STREAMING", "USERS", "Right", "User"]


@dataclass(frozen=True)
class Right:
    """What may be done with a topic, or with consumer groups.

    Attributes:
        kind: ``topic`` or ``group``.
        name: Its name, or what all names begin with.
        operations: All of them are allowed.
        is_prefix: Whether the name is only the beginning.
    """

    kind: str
    name: str
    operations: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True)
class User:
    """A process as Kafka knows it.

    Attributes:
        name: Who it says it is.
        doc: What it does.
        rights: All that it may do.
    """

    name: str
    doc: str
    rights: tuple[Right, ...]


# To write is enough for an idempotent producer, since Kafka 3.0 (KIP-679).
GENERATOR = User(
    "clickstream-generator",
    "Sends events and their ledger; keeps where each shard stands, and reads it back.",
    (
        Right("topic", EVENTS.name, ("Describe", "Write")),
        Right("topic", LEDGER.name, ("Describe", "Write")),
        Right("topic", SHARDS.name, ("Describe", "Read", "Write")),
        # Its consumer joins no group; librdkafka asks for the group's coordinator all the same.
        Right("group", "clickstream-generator", ("Describe",)),
    ),
)
STREAMING = User(
    "clickstream-streaming",
    "Reads events and the ledger; its offsets are PostgreSQL's to keep.",
    (
        Right("topic", EVENTS.name, ("Describe", "Read")),
        Right("topic", LEDGER.name, ("Describe", "Read")),
    ),
)
USERS = (GENERATOR, STREAMING)
