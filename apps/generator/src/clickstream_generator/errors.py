"""Errors of the generator.

``GeneratorError`` is the root; ``BrokerRefused`` says what Kafka would not take,
``DrainTimeout`` that not all was acknowledged before the end, ``SnapshotUnusable`` why a shard
cannot go on (``WorldChanged``: this process would make other events), ``ShardTaken`` that
another worker holds a shard now. ``OutputRefused`` says why an output is not written to,
``OutputFailed`` that it cannot be written any more, ``RecordUnusable`` what is wrong with a run
record.
"""

from __future__ import annotations

__all__ = [
    "BrokerRefused",
    "DrainTimeout",
    "GeneratorError",
    "OutputFailed",
    "OutputRefused",
    "RecordUnusable",
    "ShardTaken",
    "SnapshotUnusable",
    "WorldChanged",
]


class GeneratorError(Exception):
    """Root of the generator's errors."""


class BrokerRefused(GeneratorError):
    """Kafka will not take a record, now or later.

    Attributes:
        code: Kafka's name of the error.
        reason: Kafka's text.
        setting: The setting to look at.
    """

    def __init__(self, code: str, reason: str, setting: str) -> None:
        """Keep the fields and build the text."""
        self.code, self.reason, self.setting = code, reason, setting
        super().__init__(f"Kafka refuses records: {reason} ({code}); look at {setting}")


class DrainTimeout(GeneratorError):
    """Records were still without an acknowledgement when time was up.

    Attributes:
        waiting: How many.
        seconds: How long they were waited for.
    """

    def __init__(self, waiting: int, seconds: float) -> None:
        """Keep the fields and build the text."""
        self.waiting, self.seconds = waiting, seconds
        super().__init__(
            f"{waiting} records had no acknowledgement after {seconds:.0f} s; "
            "the ledger does not count them: see whether the broker is up"
        )


class SnapshotUnusable(GeneratorError):
    """A shard's stored state cannot be taken up.

    Attributes:
        reason: What is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        """Keep the field and build the text."""
        self.reason = reason
        super().__init__(
            f"the stored state of a shard cannot be taken up: {reason}; run the version that "
            "wrote it, or start a new run"
        )


class WorldChanged(SnapshotUnusable):
    """A shard was begun with other data or libraries than this process has.

    Attributes:
        what: What differs.
        changed: Libraries whose versions differ, as ``name before -> now``.
    """

    def __init__(self, what: str, written: dict[str, str], present: dict[str, str]) -> None:
        """Keep the fields and build the text."""
        self.what = what
        self.changed = [
            f"{name} {written.get(name)} -> {present.get(name)}"
            for name in sorted(written | present)
            if written.get(name) != present.get(name)
        ]
        same = ", ".join(f"{name} {version}" for name, version in sorted(present.items()))
        cause = ", ".join(self.changed) or f"no version differs: {same}"
        super().__init__(f"this process makes other {what} than the run began with ({cause})")


class ShardTaken(GeneratorError):
    """Another worker has taken a shard over, so this one must not make its events any more.

    Attributes:
        shard: The first shard that was found taken.
        holder: The random name of the worker that holds it now.
    """

    def __init__(self, shard: int, holder: str) -> None:
        """Keep the fields and build the text."""
        self.shard, self.holder = shard, holder
        super().__init__(
            f"another worker ({holder}) has taken over shard {shard} while this one was silent, so "
            "this one stops: nothing is lost; start it again to let it wait for its shards"
        )


class OutputRefused(GeneratorError):
    """Nothing is written to an output, since it is not this run's.

    Attributes:
        place: The output.
        found: What is there.
        remedy: What to do.
    """

    def __init__(self, place: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.remedy = place, found, remedy
        super().__init__(f"{place} {found}, and nothing there was changed; {remedy}")


class OutputFailed(GeneratorError):
    """An output cannot be written any more.

    Attributes:
        place: The file.
        reason: The system's text.
        remedy: What to do.
    """

    def __init__(self, place: str, reason: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.reason, self.remedy = place, reason, remedy
        super().__init__(f"cannot write {place}: {reason}; {remedy}")


class RecordUnusable(GeneratorError):
    """A file is not a run record that can be used.

    Attributes:
        place: The file.
        found: What is there.
        allowed: What must be there.
    """

    def __init__(self, place: str, found: str, allowed: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.allowed = place, found, allowed
        super().__init__(f"{place} has {found}; {allowed}")
