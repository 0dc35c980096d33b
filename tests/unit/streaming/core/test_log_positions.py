"""A log that may not be the one that was read is found by its topic's id and its leader epoch."""

from __future__ import annotations

from clickstream_streaming.core.log_positions import (
    LogPosition,
    LogPositions,
    changed_epochs,
    recreated_topics,
)

_PLACE = ("events", 0)


def _at(topic_id: str | None = "first", offset: int = 10, epoch: int | None = 3) -> LogPositions:
    return {_PLACE: LogPosition(topic_id, offset, epoch)}


def test_same_log_may_grow() -> None:
    """More records in the same epoch of the same topic are what comes next."""
    ends = _at(offset=25)

    assert recreated_topics(_at(), ends) == {}
    assert changed_epochs(_at(), ends) == {}


def test_other_topic_id_is_found() -> None:
    """A topic with as many records and the same epoch is another one by its id."""
    ends = _at("second")

    assert recreated_topics(_at(), ends) == {"events": ("first", "second")}


def test_other_epoch_is_found() -> None:
    """Any other epoch may lack records; an older one too, and none at all."""
    for epoch in (2, 4, None):
        assert changed_epochs(_at(), _at(epoch=epoch)) == _at()


def test_unknown_is_not_compared() -> None:
    """What an earlier version has noted says nothing of the log, and stops nothing."""
    read = _at(topic_id=None, epoch=None)

    assert recreated_topics(read, _at()) == {}
    assert changed_epochs(read, _at()) == {}


def test_removed_partition_is_passed_over() -> None:
    """A partition that is not there is not compared: its topic's id or number of partitions is."""
    assert recreated_topics(_at(), {}) == {}
    assert changed_epochs(_at(), {}) == {}
