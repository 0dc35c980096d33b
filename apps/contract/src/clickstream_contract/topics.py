"""The Kafka topics, and the reasons for which the stream rejects a record.

Owns topic names, their settings and the reject reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

__all__ = ["EVENTS", "LEDGER", "SHARDS", "TOPICS", "RejectReason", "Topic"]


@dataclass(frozen=True)
class Topic:
    """A topic, with its partitions and settings."""

    name: str
    doc: str
    partitions: int
    settings: dict[str, str] = field(default_factory=dict)
    """Kafka's own names, as in https://kafka.apache.org/documentation/#topicconfigs."""


EVENTS = Topic(
    "clickstream.events.v1",
    "Events; the key is the user id, the value one event as JSON.",
    partitions=4,
    # Above Kafka's default of 1 MiB, so that an oversized record arrives and is counted.
    # The broker's clock, not the sender's, decides whether an event is in the future.
    settings={
        "max.message.bytes": "2097152",
        "retention.ms": "604800000",
        "message.timestamp.type": "LogAppendTime",
    },
)
LEDGER = Topic(
    "clickstream.ledger.v1",
    "The ledger, per shard and minute; the key is run and shard.",
    partitions=1,
    # Kept longer than the events; the timestamps are the broker's, too.
    settings={"retention.ms": "2592000000", "message.timestamp.type": "LogAppendTime"},
)
SHARDS = Topic(
    "clickstream.shards.v1",
    "Leases and state of each shard; the key is run, shard, holder and part.",
    # Partition 0 has the claims and heartbeats, which every worker follows. Each other one has the
    # large snapshots of some runs.
    partitions=17,
    # Small segments, compacted early: a starting worker reads two of the partitions.
    settings={
        "cleanup.policy": "compact",
        "segment.bytes": "33554432",
        "min.cleanable.dirty.ratio": "0.1",
    },
)
TOPICS = (EVENTS, LEDGER, SHARDS)


class RejectReason(Enum):
    """Why a record is not an event; tables hold the value."""

    NO_VALUE = "no_value"
    """The record has no value (a tombstone)."""
    OVERSIZED = "oversized"
    """Longer than an event can be."""
    BAD_ENCODING = "bad_encoding"
    """The bytes are not UTF-8, or hold the character NUL, which PostgreSQL's text refuses."""
    NOT_JSON = "not_json"
    """The text is not one JSON object."""
    WRONG_TYPE = "wrong_type"
    """A field holds a value of another type than the contract's."""
    MISSING_FIELD = "missing_field"
    """A field that the event must have is absent or null."""
    UNKNOWN_VERSION = "unknown_version"
    """The schema version is not one that this stream reads."""
    UNKNOWN_VALUE = "unknown_value"
    """A field holds a value outside its list, such as an unknown event name."""
    OUT_OF_RANGE = "out_of_range"
    """A number is too small or too large, a text too long, a time before the year 2000."""
    FUTURE_TIME = "future_time"
    """The event is dated in the future: it must not move the watermark."""
    DAY_DROPPED = "day_dropped"
    """The event's day was dropped by retention, or is older than the stream stores."""
