"""Actions on days that retention drops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from clickstream_contract.topics import EVENTS
from clickstream_local.session import end_offsets
from confluent_kafka import Producer
from invariants import records_since
from pipeline import wait_until

if TYPE_CHECKING:
    from invariants import Noise
    from scenario import Stage

__all__ = ["ReplayDroppedDays"]

_DROP = "SELECT ops.drop_event_partitions((clock_timestamp() AT TIME ZONE 'UTC')::date - 1)"
_REJECTED = "SELECT count(*) FROM ops.rejected_events WHERE reason = 'day_dropped'"
_SUMS = """
SELECT (SELECT sum(events) FROM mart.traffic_day), (SELECT sum(events) FROM mart.sessions),
    (SELECT sum(stored_events) FROM ops.shards), (SELECT sum(dropped_events) FROM ops.shards),
    (SELECT sum(expired_events) FROM ops.shards)
"""


@dataclass(frozen=True)
class ReplayDroppedDays:
    """Days before yesterday are dropped, all records come again, and those days are dropped again.

    What was dropped is stored nowhere any more: only what comes from then on is accounted for.
    """

    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Drop, send all records again, wait until they are rejected, and drop."""
        pipeline, servers = stage.pipeline, stage.pipeline.kafka.bootstrap_servers
        pipeline.rows(_DROP)
        before = pipeline.rows(_SUMS)
        records = list(records_since(servers, stage.watch.begins))
        stage.watch.begins.update(end_offsets(servers))
        producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 2_097_152})
        for record in records:
            producer.produce(EVENTS.name, value=record.value(), key=record.key())
        assert producer.flush(20) == 0
        wait_until(lambda: pipeline.count(_REJECTED) >= len(records), "all are rejected")
        pipeline.rows(_DROP)
        assert pipeline.rows(_SUMS) == before
        stage.figures.faults += len(records)
        stage.figures.shown = f"{len(records)} replayed, as many rejected, 0 counted"
