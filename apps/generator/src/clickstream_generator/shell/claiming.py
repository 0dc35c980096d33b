"""Taking shards, so that one worker at a time makes events of theirs that count.

Owns the order: wait until no other holder of one of them is heard, claim them, read the claim
back, and only then read where they are. The rules themselves are in
:mod:`clickstream_generator.core.lease`.
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
)
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager
    from uuid import UUID

    from clickstream_generator.shell.kafka_sink import KafkaSink
    from clickstream_generator.shell.shard_reader import ShardReader

__all__ = ["Hold", "claim_shards"]

_LOG = logging.getLogger(__name__)

_LISTEN_SECONDS = 0.2
_READ_BACK_SECONDS = 0.02
_QUIET_HEARTBEATS = 3
"""Heartbeats in a row that must fail to come before a holder is taken for gone."""
_SPARE_SECONDS = 3.0
"""A grant lasts for two heartbeats and this: a slow broker must not hold events up."""


@dataclass
class Hold:
    """What a worker has once its shards are claimed.

    Attributes:
        epochs: By shard, the epoch of this worker's hold; shards that are over have none.
        stored: What the topic holds of each shard.
        lease: What this worker may do.
        snapshot_partition: Where snapshots lie.
    """

    run_id: UUID
    epochs: dict[int, int]
    stored: dict[int, StoredShard]
    lease: Lease
    snapshot_partition: int
    _reader: ShardReader

    def read_log(self) -> None:
        """Take up what has been added to the log.

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
        """Be heard while the work inside the block leaves no time for heartbeats."""
        return _heartbeats(sink, self.run_id, self.epochs)


def claim_shards(
    reader: ShardReader,
    sink: KafkaSink,
    run_id: UUID,
    numbers: tuple[int, ...],
    shards: int,
    forget_before: float = -math.inf,
) -> Hold:
    """Take the shards that are not over, and read where each is.

    Waits while another worker is heard that holds one of them.

    Args:
        reader: Of the shards' topic; follows the claims from then on.
        sink: Where claims go.
        run_id: The run.
        numbers: The shards.
        shards: How many the run has.
        forget_before: Snapshots of other runs that have written none since are removed; Unix
            seconds.

    Raises:
        BrokerRefused: The topic is not there or cannot be read or written.
        SnapshotUnusable: A record is there and cannot be understood.
    """
    holder = uuid4().hex
    records, others = ShardRecords(run_id, numbers), OtherSnapshots(run_id)
    partitions = reader.partitions
    for record in reader.read_to_end(partitions):
        records.take(record)
        others.take(record)
    claims: list[Claim] = []
    while not claims and records.unfinished():
        reader.follow(partitions)
        _wait_for_release(reader, records, _QUIET_HEARTBEATS * heartbeat_seconds(shards))
        wanted = [
            Claim(shard, records.claims.epoch_of(shard) + 1, holder)
            for shard in records.unfinished()
        ]
        _read_back(reader, sink, records, run_id, wanted)
        if all(records.claims.is_held_by(claim) for claim in wanted):
            claims = wanted
        else:
            _LOG.info("another worker was faster to claim the shards; waiting for it")
    epochs = {claim.shard: claim.epoch for claim in claims}
    # Many snapshots take longer to read than the time after which silence is taken for an end.
    with _heartbeats(sink, run_id, epochs):
        # Snapshots last: a position drops the revisions that a snapshot written before it has.
        for record in reader.read_to_end(set(partitions) - {LEASE_PARTITION}):
            records.take(record)
            others.take(record)
        reader.follow({LEASE_PARTITION})
        stored = records.found()
    if abandoned := others.rows_before(forget_before):
        _LOG.info("%d parts of abandoned snapshots are removed", len(abandoned))
        sink.publish(SHARDS.name, abandoned, Batch(), max(partitions))
    until = max(
        (stored[row.shard].position.granted_until for row in claims if row.shard in stored),
        default=0.0,
    )
    ahead_seconds = 2 * heartbeat_seconds(len(claims)) + _SPARE_SECONDS
    lease = Lease(epochs, until, ahead_seconds)
    return Hold(run_id, epochs, stored, lease, max(partitions), reader)


@contextmanager
def _heartbeats(sink: KafkaSink, run_id: UUID, epochs: Mapping[int, int]) -> Iterator[None]:
    """Publish at once, and with each heartbeat until the block ends, that the holder is alive."""
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


def _wait_for_release(reader: ShardReader, records: ShardRecords, quiet_seconds: float) -> None:
    """Wait until the shards' holders have released them or have fallen silent."""
    listened = 0.0
    while not records.are_released() and listened < quiet_seconds:
        came = [records.take(record) for record in reader.poll(_LISTEN_SECONDS)]
        # Time is counted by listening: where all processes were stopped, no holder fell silent.
        listened = 0.0 if any(came) else listened + _LISTEN_SECONDS


def _read_back(
    reader: ShardReader,
    sink: KafkaSink,
    records: ShardRecords,
    run_id: UUID,
    claims: list[Claim],
) -> None:
    """Publish claims, and read the log until they are there, and on to its end."""
    rows = [claim_row(run_id, claim) for claim in claims]
    sink.publish(SHARDS.name, rows, Batch(), LEASE_PARTITION)
    while not (sink.is_idle() and all(map(records.claims.has_read, claims))):
        sink.poll(0)
        for record in reader.poll(_READ_BACK_SECONDS):
            records.take(record)
    for record in reader.read_to_end({LEASE_PARTITION}):
        records.take(record)
