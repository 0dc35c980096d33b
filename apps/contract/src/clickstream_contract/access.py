"""Access rights in Kafka: the least that each process needs.

Owns the users and their rights. Operations are Kafka's
(https://kafka.apache.org/documentation/#operations_in_kafka). ``k8s/kafka/users.yaml`` grants the
rights with Strimzi.
"""

from __future__ import annotations

from dataclasses import dataclass

from clickstream_contract.topics import EVENTS, LEDGER, SHARDS

__all__ = ["GENERATOR", "STREAMING", "USERS", "Right", "User"]


@dataclass(frozen=True)
class Right:
    """The allowed operations on a topic or on consumer groups.

    Attributes:
        kind: ``topic`` or ``group``.
        name: The name, or the prefix of the names.
        operations: The allowed operations.
        is_prefix: Whether the name is a prefix.
    """

    kind: str
    name: str
    operations: tuple[str, ...]
    is_prefix: bool = False


@dataclass(frozen=True)
class User:
    """A user of Kafka: one process.

    Attributes:
        name: The user name.
        doc: The process's task.
        rights: All its rights.
    """

    name: str
    doc: str
    rights: tuple[Right, ...]


# Since Kafka 3.0 an idempotent producer needs only Write (KIP-679).
GENERATOR = User(
    "clickstream-generator",
    "Sends events and the ledger; writes and reads the state of each shard. Verifications read the"
    " ledger.",
    (
        Right("topic", EVENTS.name, ("Describe", "Write")),
        Right("topic", LEDGER.name, ("Describe", "Read", "Write")),
        Right("topic", SHARDS.name, ("Describe", "Read", "Write")),
        # The consumer joins no group, but librdkafka looks up the group's coordinator.
        Right("group", "clickstream-generator", ("Describe",)),
    ),
)
STREAMING = User(
    "clickstream-streaming",
    "Reads events and the ledger; PostgreSQL keeps its offsets.",
    (
        Right("topic", EVENTS.name, ("Describe", "Read")),
        Right("topic", LEDGER.name, ("Describe", "Read")),
    ),
)
USERS = (GENERATOR, STREAMING)
