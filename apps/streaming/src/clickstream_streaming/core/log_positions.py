"""Where a partition was read up to, in which of Kafka's logs, and whether that log is still there.

An offset means something in one log only. A topic that is deleted and created again has a new id;
a broker that leads a partition without its last records starts a new leader epoch before the offset
that was read. Either may have more records than were read, so offsets alone cannot show it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LogPosition", "LogPositions", "other_epochs", "remade_topics"]


@dataclass(frozen=True)
class LogPosition:
    """An offset in the log of one partition.

    Attributes:
        topic_id: The topic's id, in Kafka's own form; ``None`` if it was not asked for.
        offset: The offset.
        leader_epoch: An epoch whose leader had every record before the offset; ``None`` if the
            log had no record, or was not asked for.
    """

    topic_id: str | None
    offset: int
    leader_epoch: int | None


LogPositions = dict[tuple[str, int], LogPosition]
"""By topic and partition."""


def remade_topics(read: LogPositions, ends: LogPositions) -> dict[str, tuple[str, str]]:
    """Return topics that are not those that were read: the id that was read, and the id now.

    Args:
        read: Up to where each partition was read.
        ends: The ends of the logs now.
    """
    return {
        place[0]: (position.topic_id, ends[place].topic_id or "")
        for place, position in read.items()
        if place in ends
        and position.topic_id is not None
        and position.topic_id != ends[place].topic_id
    }


def other_epochs(read: LogPositions, ends: LogPositions) -> LogPositions:
    """Return positions whose log has another leader epoch now: it may lack what was read.

    As long as the epoch is the same, one leader has only added records.

    Args:
        read: Up to where each partition was read.
        ends: The ends of the logs now.
    """
    return {
        place: position
        for place, position in read.items()
        if place in ends
        and position.leader_epoch is not None
        and position.leader_epoch != ends[place].leader_epoch
    }
