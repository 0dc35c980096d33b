"""Kafka topics and the ways in which a record can be unfit.

Owns topic names, their settings and the reject reasons. It does not know how the stream
recognises an unfit record: that is the streaming job's rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

__all__ = ["EVENTS", "LEDGER", "SHARDS", "TOPICS", "RejectReason", "Topic"]


@dataclass(frozen=True)
class Topic:
    """A topic and what it must be created with."""

    name: str
    doc: str
    partitions: int
    settings: dict[str, str] = field(default_factory=dict)
    """Kafka's own names, as in https://kafka.apache.org/documentation/#topicconfigs."""


EVENTS = Topic(
    "clickstream.events.v1",
    "What visitors did; key is the session, value one event as JSON.",
    partitions=4,
    # Above Kafka's own 1 MiB, so that an oversized record arrives and can be accounted for.
    # The broker's clock says what is in the future, not the sender's.
    settings={
        "max.message.bytes": "2097152",
        "retention.ms": "604800000",
        "message.timestamp.type": "LogAppendTime",
    },
)
LEDGER = Topic(
    "clickstream.ledger.v1",
    "What the generators sent, per shard and minute; key is run and shard.",
    partitions=1,
    # Longer than the events, and by the broker's clock, too.
    settings={"retention.ms": "2592000000", "message.timestamp.type": "LogAppendTime"},
)
SHARDS = Topic(
    "clickstream.shards.v1",
    "Which worker holds each shard, and where it is; key is run, shard, holder and part.",
    # Who holds a shard is decided in partition 0, which each worker follows; the other one holds
    # the large records.
    partitions=2,
    # Small segments, cleaned early: whoever starts reads the whole topic.
    settings={
        "cleanup.policy": "compact",
        "segment.bytes": "33554432",
        "min.cleanable.dirty.ratio": "0.1",
    },
)
TOPICS = (EVENTS, LEDGER, SHARDS)


class RejectReason(Enum):
    """Why a record is not an event. The value is what stands in the table."""

    NO_VALUE = "no_value"
    """The record has no value at all (a tombstone)."""
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
    """A field holds a value outside its list, such as an event name nobody knows."""
    OUT_OF_RANGE = "out_of_range"
    """A number is too small or too large, a text too long, a time before the year 2000."""
    FUTURE_TIME = "future_time"
    """The event is dated in the future: it must not move the watermark."""
    DAY_DROPPED = "day_dropped"
    """The event's day was dropped by retention, or is older than the stream stores."""
