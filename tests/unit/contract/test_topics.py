"""Topics: their names, settings and the reasons to reject a record."""

from __future__ import annotations

from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS, TOPICS, RejectReason, Topic


def test_topics_have_their_partitions() -> None:
    """Events are spread over four, snapshots over sixteen; ledger and leases have one order."""
    assert TOPICS == (EVENTS, LEDGER, SHARDS)
    assert [(topic.name, topic.partitions) for topic in TOPICS] == [
        ("clickstream.events.v1", 4),
        ("clickstream.ledger.v1", 1),
        ("clickstream.shards.v1", 17),
    ]


def test_events_take_oversized_records() -> None:
    """The events' topic takes records larger than an event, for a week, with the broker's time."""
    assert EVENTS.settings == {
        "max.message.bytes": str(2 * 1024 * 1024),
        "retention.ms": str(7 * 86_400_000),
        "message.timestamp.type": "LogAppendTime",
    }
    assert int(EVENTS.settings["max.message.bytes"]) > MAX_EVENT_BYTES


def test_ledger_outlasts_events() -> None:
    """The ledger is kept for a month, with the broker's time."""
    assert LEDGER.settings == {
        "retention.ms": str(30 * 86_400_000),
        "message.timestamp.type": "LogAppendTime",
    }
    assert int(LEDGER.settings["retention.ms"]) > int(EVENTS.settings["retention.ms"])


def test_shards_are_compacted() -> None:
    """Of the shards' topic the last record of each key is kept, in segments of 32 MiB."""
    assert SHARDS.settings == {
        "cleanup.policy": "compact",
        "segment.bytes": str(32 * 1024 * 1024),
        "min.cleanable.dirty.ratio": "0.1",
    }


def test_plain_topic_has_no_settings() -> None:
    """A topic without settings uses the broker's, and shares no mapping."""
    first, second = Topic("a", "One.", 1), Topic("b", "Other.", 1)

    assert first.settings == {}
    assert first.settings is not second.settings


def test_reasons_are_their_names() -> None:
    """The tables have the reason's name in small letters."""
    assert all(reason.value == reason.name.lower() for reason in RejectReason)
    assert len(RejectReason) == 11
