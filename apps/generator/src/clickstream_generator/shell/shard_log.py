"""Where each shard stands, kept in Kafka for whoever carries it next.

Owns the records of the compacted topic ``clickstream.shards.v1``: per run and shard two
snapshots taken in turn, each in parts, so that one is whole while the other is written; and a
position, which says up to which event everything is acknowledged and which revisions were
announced since. It does not know what a snapshot holds.
"""

from __future__ import annotations

import json
import struct
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clickstream_contract.topics import SHARDS
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.snapshot import Snapshot, load_snapshot
from clickstream_generator.errors import BrokerRefused, SnapshotUnusable
from clickstream_generator.shell.kafka_sink import client_settings, is_hopeless, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from clickstream_generator.settings import Settings

__all__ = [
    "Position",
    "StoredShard",
    "forgotten_records",
    "position_seconds",
    "read_shards",
    "snapshot_records",
]

Row = tuple[bytes, bytes | None]
"""Key and value."""

PART_BYTES = 1_000_000
"""Under the size of a record that every broker takes unless told otherwise."""
_SLOTS = 2
_PART = struct.Struct(">QHH")
"""Before each part: the snapshot's generation, the part's number, and how many there are."""
_METADATA_SECONDS = 15.0
_SILENCE_SECONDS = 30.0
_LISTEN_SECONDS = 0.2
_POSITION_SECONDS = 1.0
_SHARDS_PER_POSITION_SECOND = 100
_QUIET_POSITIONS = 3
"""Positions that must fail to come before whoever wrote them is taken for gone."""


@dataclass(frozen=True)
class Position:
    """How far a shard has got.

    Attributes:
        shard_seq: This event and all before it are acknowledged.
        is_over: The shard has ended; nothing is to go on from.
        revisions: Announced, and possibly not in the last snapshot.
        records: Acknowledged in all, once the shard is over.
        is_left: Whoever carried the shard has let go of it.
    """

    shard_seq: int
    is_over: bool = False
    revisions: tuple[Revision, ...] = ()
    records: int = 0
    is_left: bool = False

    def to_row(self, run_id: UUID, shard: int) -> Row:
        """Return its record."""
        content = {
            "shard_seq": self.shard_seq,
            "is_over": self.is_over,
            "revisions": [revision.to_json() for revision in self.revisions],
            "records": self.records,
            "is_left": self.is_left,
        }
        return f"{run_id}/{shard}/position".encode(), json.dumps(content).encode()

    @classmethod
    def from_value(cls, value: bytes) -> Position:
        """Read what :meth:`to_row` made."""
        content = json.loads(value)
        revisions = tuple(Revision.from_json(row) for row in content["revisions"])
        return cls(
            content["shard_seq"],
            content["is_over"],
            revisions,
            content.get("records", 0),
            content.get("is_left", False),
        )


@dataclass
class StoredShard:
    """What the topic holds of one shard.

    Attributes:
        position: The last one.
        snapshot: The newest that is whole, or ``None``.
        generation: Its number.
    """

    position: Position = field(default_factory=lambda: Position(0))
    snapshot: Snapshot | None = None
    generation: int = 0


def snapshot_records(run_id: UUID, shard: int, generation: int, content: bytes) -> list[Row]:
    """Cut a snapshot into records."""
    pieces = [content[at : at + PART_BYTES] for at in range(0, len(content), PART_BYTES)]
    slot = generation % _SLOTS
    return [
        (
            f"{run_id}/{shard}/{slot}/{part}".encode(),
            _PART.pack(generation, part, len(pieces)) + piece,
        )
        for part, piece in enumerate(pieces)
    ]


def forgotten_records(run_id: UUID, shard: int, parts: int) -> list[Row]:
    """Return the records that make the topic let go of a shard's snapshots."""
    return [
        (f"{run_id}/{shard}/{slot}/{part}".encode(), None)
        for slot in range(_SLOTS)
        for part in range(parts)
    ]


def read_shards(
    settings: Settings, run_id: UUID, numbers: tuple[int, ...], shards: int
) -> dict[int, StoredShard]:
    """Read what the topic holds of some shards; those that never ran are left out.

    Waits while somebody else is heard who carries one of them: two that write a shard's state
    side by side would leave one that nobody can read.

    Args:
        settings: Where the broker is.
        run_id: The run.
        numbers: The shards.
        shards: How many the run has.

    Raises:
        BrokerRefused: The topic is not there or cannot be read.
        SnapshotUnusable: A snapshot is there and cannot be understood.
    """
    records = _Records(run_id, numbers)
    try:
        with _consumer(settings) as consumer:
            _read_to_end(consumer, records)
            _wait_until_left(consumer, records, _QUIET_POSITIONS * position_seconds(shards))
        return records.found()
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise SnapshotUnusable(f"a record of it is not one of ours ({error!r})") from None


def position_seconds(shards: int) -> float:
    """Return how often whoever carries so many shards says how far each has got."""
    return max(_POSITION_SECONDS, shards / _SHARDS_PER_POSITION_SECOND)


class _Records:
    """The records of some shards, put together; the newest snapshot that is whole counts."""

    def __init__(self, run_id: UUID, numbers: tuple[int, ...]) -> None:
        self._run, self._numbers = str(run_id), frozenset(numbers)
        self._positions: dict[int, Position] = {}
        self._parts: dict[int, dict[int, dict[int, tuple[int, bytes]]]] = defaultdict(dict)

    def take(self, key: str, value: bytes) -> bool:
        """Take a record; say whether it is about one of the shards."""
        run, _, rest = key.partition("/")
        shard, _, what = rest.partition("/")
        if run != self._run or not shard.isdecimal() or int(shard) not in self._numbers:
            return False
        if what == "position":
            self._positions[int(shard)] = Position.from_value(value)
            return True
        generation, part, count = _PART.unpack_from(value)
        kept = self._parts[int(shard)]
        kept.setdefault(generation, {})[part] = (count, value[_PART.size :])
        for old in [known for known in kept if known <= max(kept) - _SLOTS]:
            del kept[old]
        return True

    def are_left(self) -> bool:
        """Say whether whoever carried the shards has let go of all of them."""
        return all(row.is_left or row.is_over for row in self._positions.values())

    def found(self) -> dict[int, StoredShard]:
        """Return what there is of each shard."""
        found = {shard: StoredShard(position) for shard, position in self._positions.items()}
        for number, kept in self._parts.items():
            whole = [
                generation
                for generation, pieces in kept.items()
                if 0 in pieces and len(pieces) == pieces[0][0]
            ]
            if whole and not found.get(number, StoredShard()).position.is_over:
                stored = found.setdefault(number, StoredShard())
                stored.generation = max(whole)
                pieces = kept[stored.generation]
                content = b"".join(pieces[part][1] for part in sorted(pieces))
                stored.snapshot = load_snapshot(content)
        return found


@contextmanager
def _consumer(settings: Settings) -> Iterator[Consumer]:
    """Open a consumer, and name what the broker refuses."""
    hopeless: list[KafkaError] = []

    def noticed(error: KafkaError) -> None:
        if is_hopeless(error):
            hopeless.append(error)

    consumer = Consumer(
        {
            **client_settings(settings),
            "error_cb": noticed,
            "group.id": "clickstream-generator",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        yield consumer
    except KafkaException as failure:
        consumer.poll(0)  # lets the client say what it has noticed
        if hopeless:
            raise refusal(hopeless[0]) from None
        raise refusal(failure.args[0], "CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS") from None
    finally:
        consumer.close()


def _read_to_end(consumer: Consumer, records: _Records) -> None:
    """Read the topic from its beginning to where it ends now."""
    topic = consumer.list_topics(SHARDS.name, timeout=_METADATA_SECONDS).topics[SHARDS.name]
    if topic.error is not None:
        raise BrokerRefused(topic.error.name(), topic.error.str(), f"topic {SHARDS.name}")
    open_partitions = set(topic.partitions)
    consumer.assign([TopicPartition(SHARDS.name, at, OFFSET_BEGINNING) for at in topic.partitions])
    while open_partitions:
        message = consumer.poll(_SILENCE_SECONDS)
        if message is None:
            raise BrokerRefused("_TIMED_OUT", "the topic cannot be read", f"topic {SHARDS.name}")
        if _is_end(message):
            open_partitions.discard(message.partition())
        else:
            _take(message, records)


def _wait_until_left(consumer: Consumer, records: _Records, quiet_seconds: float) -> None:
    """Follow the topic until whoever carries the shards has left them or fallen silent."""
    heard = time.monotonic()
    while not records.are_left() and time.monotonic() - heard < quiet_seconds:
        message = consumer.poll(_LISTEN_SECONDS)
        if message is not None and not _is_end(message) and _take(message, records):
            heard = time.monotonic()


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  the client's own constant
        return True
    raise KafkaException(error)


def _take(message: Message, records: _Records) -> bool:
    key, value = message.key(), message.value()
    return (
        key is not None and value is not None and records.take(key.decode(errors="replace"), value)
    )
