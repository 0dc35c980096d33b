"""Positions in Kafka's logs, and whether a log is still the one that was read.

An offset is valid in one log only. A topic that was deleted and created again has a new id. A
broker that becomes the leader without the last records starts a new leader epoch before the offset
that was read. Offsets alone cannot show either case, because the new log may be longer.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LogPosition", "LogPositions", "changed_epochs", "recreated_topics"]


@dataclass(frozen=True)
class LogPosition:
    """An offset in the log of one partition.

    Attributes:
        topic_id: The topic's id as Kafka prints it; ``None`` if it is unknown.
        offset: The offset.
        leader_epoch: An epoch whose leader had every record before the offset; ``None`` if the
            log had no record, or if it is unknown.
    """

    topic_id: str | None
    offset: int
    leader_epoch: int | None


LogPositions = dict[tuple[str, int], LogPosition]
"""Positions by topic and partition."""


def recreated_topics(read: LogPositions, ends: LogPositions) -> dict[str, tuple[str, str]]:
    """Return the topics with a new id: the id that was read, and the id now.

    Args:
        read: The positions up to which partitions were read.
        ends: The current ends of the logs.
    """
    return {
        place[0]: (position.topic_id, ends[place].topic_id or "")
        for place, position in read.items()
        if place in ends
        and position.topic_id is not None
        and position.topic_id != ends[place].topic_id
    }


def changed_epochs(read: LogPositions, ends: LogPositions) -> LogPositions:
    """Return the positions whose log has a new leader epoch, and so may lack records.

    Within one epoch, one leader only appends records.

    Args:
        read: The positions up to which partitions were read.
        ends: The current ends of the logs.
    """
    return {
        place: position
        for place, position in read.items()
        if place in ends
        and position.leader_epoch is not None
        and position.leader_epoch != ends[place].leader_epoch
    }
