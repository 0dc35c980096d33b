"""Claiming shards, so that only one worker at a time makes valid events of a shard.

Owns the order: wait until no other holder sends heartbeats, claim the shards, read the claims back,
and only then read the shards' state. The rules are in :mod:`clickstream_generator.core.lease`.
"""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

from clickstream_contract.topics import SHARDS
from confluent_kafka import KafkaException

from clickstream_generator.core.lease import Claim, Grant, Lease
from clickstream_generator.shell.shard_log import (
    LEASE_PARTITION,
    OtherSnapshots,
    ShardRecords,
    StoredShard,
    alive_row,
    claim_row,
    heartbeat_seconds,
    snapshot_partition,
)
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from uuid import UUID

    from clickstream_generator.shell.kafka_sink import KafkaSink
    from clickstream_generator.shell.topic_reader import TopicReader

__all__ = ["Hold", "claim_shards"]

_LOG = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.2
_READ_BACK_SECONDS = 0.02
_QUIET_HEARTBEATS = 3
"""Missed heartbeats in a row after which a holder counts as dead."""
_SPARE_SECONDS = 3.0
"""A grant lasts two heartbeats plus this, so that a slow broker does not delay events."""


@dataclass
class Hold:
    """A worker's hold on its claimed shards.

    Attributes:
        epochs: The epoch of this worker's hold, by shard; shards that are over have none.
        stored: The shards' stored state, by shard.
        lease: The worker's lease.
        snapshot_partition: The partition for this worker's snapshots.
    """

    run_id: UUID
    epochs: dict[int, int]
    stored: dict[int, StoredShard]
    lease: Lease
    snapshot_partition: int
    _reader: TopicReader

    def read_log(self) -> None:
        """Apply the new records of the log.

        Raises:
            ShardTaken: Another worker has claimed one of the shards.
        """
        if not (came := self._reader.poll(0)):
            return
        records = ShardRecords(self.run_id, tuple(self.epochs))
        for record in came:
            taken = records.take(record)
            if isinstance(taken, Claim):
                self.lease.take_claim(taken)
            elif isinstance(taken, Grant):
                self.lease.take_grant(taken)

    def heartbeats(self, sink: KafkaSink) -> AbstractContextManager[None]:
        """Send heartbeats from a thread while the block runs."""
        return _heartbeats(sink, self.run_id, self.epochs)


def claim_shards(
    reader: TopicReader,
    sink: KafkaSink,
    run_id: UUID,
    numbers: tuple[int, ...],
    shards: int,
    forget_before: float = -math.inf,
) -> Hold:
    """Claim the shards that are not over, and read their state.

    Wait while another worker holds one of them and sends heartbeats.

    Args:
        reader: The reader of the shards' topic; it follows the claims from then on.
        sink: The sink for the claims.
        run_id: The run.
        numbers: The shards.
        shards: Number of shards in the run.
        forget_before: Remove snapshots of other runs that have written none since; Unix seconds.

    Raises:
        BrokerRefused: The topic does not exist, or cannot be read or written.
        SnapshotUnusable: A record cannot be read.
    """
    records, others = ShardRecords(run_id, numbers), OtherSnapshots(run_id)

    def read(partitions: set[int]) -> None:
        for record in reader.read_to_end(partitions):
            records.take(record)
            others.take(record)

    read({LEASE_PARTITION})
    claims = _claim_unfinished(
        reader, sink, records, run_id, _QUIET_HEARTBEATS * heartbeat_seconds(shards)
    )
    epochs = {claim.shard: claim.epoch for claim in claims}
    own = snapshot_partition(run_id, len(reader.partitions))
    # Reading many snapshots takes longer than the time after which a silent holder counts as dead.
    with _heartbeats(sink, run_id, epochs):
        # Snapshots last: a position leaves out revisions that an earlier snapshot contains.
        written = (records.snapshot_partitions() | {own}) & set(reader.partitions)
        read(written - {LEASE_PARTITION})
        reader.follow({LEASE_PARTITION})
        stored = records.found()
    if abandoned := others.keys_before(forget_before):
        _LOG.info("removing %d parts of abandoned snapshots", len(abandoned))
        for key, partition in abandoned.items():
            sink.publish(SHARDS.name, [(key, None)], Batch(), partition)
    return Hold(run_id, epochs, stored, _lease(epochs, stored), own, reader)


def _claim_unfinished(
    reader: TopicReader, sink: KafkaSink, records: ShardRecords, run_id: UUID, quiet_seconds: float
) -> list[Claim]:
    """Claim the shards that are not over, all of them at once, and return the claims.

    Wait while another holder sends heartbeats, and again if another worker claims a shard first.
    """
    holder = uuid4().hex
    while records.unfinished():
        reader.follow({LEASE_PARTITION})
        _wait_for_release(reader, records, quiet_seconds)
        claims = [
            Claim(shard, records.claims.epoch_of(shard) + 1, holder)
            for shard in records.unfinished()
        ]
        _read_back(reader, sink, records, run_id, claims)
        if all(records.claims.is_held_by(claim) for claim in claims):
            return claims
        _LOG.info("another worker claimed the shards first; waiting until it releases them")
    return []


def _lease(epochs: dict[int, int], stored: Mapping[int, StoredShard]) -> Lease:
    """Return a lease whose revisions take effect after the grants of the predecessors."""
    until = max(
        (stored[shard].position.granted_until for shard in epochs if shard in stored), default=0.0
    )
    return Lease(epochs, until, 2 * heartbeat_seconds(len(epochs)) + _SPARE_SECONDS)


@contextmanager
def _heartbeats(sink: KafkaSink, run_id: UUID, epochs: Mapping[int, int]) -> Iterator[None]:
    """Send heartbeats from a thread, the first one at once, until the block ends."""
    rows = [alive_row(run_id, shard, epoch) for shard, epoch in epochs.items()]
    over = Event()

    def publish() -> None:
        while True:
            with suppress(KafkaException, BufferError):
                sink.publish_unconfirmed(SHARDS.name, rows, LEASE_PARTITION)
            if over.wait(heartbeat_seconds(len(rows))):
                return

    thread = Thread(target=publish, name="heartbeats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _wait_for_release(reader: TopicReader, records: ShardRecords, quiet_seconds: float) -> None:
    """Wait until the holders have released the shards, or send no heartbeats any more."""
    listened = 0.0
    while not records.are_released() and listened < quiet_seconds:
        came = [records.take(record) for record in reader.poll(_LISTEN_SECONDS)]
        # Count only the time spent listening: if all processes were paused, no holder is dead.
        listened = 0.0 if any(came) else listened + _LISTEN_SECONDS


def _read_back(
    reader: TopicReader,
    sink: KafkaSink,
    records: ShardRecords,
    run_id: UUID,
    claims: list[Claim],
) -> None:
    """Publish claims, and read the log until they appear, then to its end."""
    rows = [claim_row(run_id, claim) for claim in claims]
    sink.publish(SHARDS.name, rows, Batch(), LEASE_PARTITION)
    while not (sink.is_idle() and all(map(records.claims.has_read, claims))):
        sink.poll(0)
        for record in reader.poll(_READ_BACK_SECONDS):
            records.take(record)
    for record in reader.read_to_end({LEASE_PARTITION}):
        records.take(record)
