"""Errors of the generator: each names what is wrong, where, and what to do.

``GeneratorError`` is the root:

- ``BrokerRefused``: Kafka refuses a record or a client.
- ``BrokersLost``: a Kafka client has work, and neither connects nor sends.
- ``DrainTimeout``: some records were not acknowledged in time.
- ``SnapshotUnusable``: a shard cannot be resumed.
- ``WorldChanged``: this process would make other events than the run has.
- ``ShardTaken``: another worker holds a shard now.
- ``OutputRefused``: an output holds something else; ``OutputFailed``: it cannot be written.
- ``ReceiverRefused``: an HTTP receiver refuses a request.
- ``RecordTooLarge``: an event is larger than a form allows.
- ``RegistryRefused``: a schema registry has no number for the schema.
- ``RecordUnusable``: a file is not a valid run record.
"""

from __future__ import annotations

__all__ = [
    "BrokerRefused",
    "BrokersLost",
    "DrainTimeout",
    "GeneratorError",
    "OutputFailed",
    "OutputRefused",
    "ReceiverRefused",
    "RecordTooLarge",
    "RecordUnusable",
    "RegistryRefused",
    "ShardTaken",
    "SnapshotUnusable",
    "WorldChanged",
]


class GeneratorError(Exception):
    """Root of the generator's errors."""


class BrokerRefused(GeneratorError):
    """Kafka refuses a record, and a retry cannot help.

    Attributes:
        code: Kafka's name of the error.
        reason: Kafka's text.
        setting: The setting to check.
    """

    def __init__(self, code: str, reason: str, setting: str) -> None:
        """Keep the fields and build the text."""
        self.code, self.reason, self.setting = code, reason, setting
        super().__init__(f"Kafka refuses records: {reason} ({code}); check {setting}")


class BrokersLost(GeneratorError):
    """A Kafka client has work for a broker, and neither connects nor sends."""

    def __init__(self) -> None:
        """Build the text."""
        super().__init__(
            "the Kafka client has lost all brokers and does not connect again (librdkafka's issue "
            "5301); start again"
        )


class DrainTimeout(GeneratorError):
    """Records were not acknowledged in time.

    Attributes:
        waiting: Number of these records.
        seconds: How long the generator waited.
    """

    def __init__(self, waiting: int, seconds: float) -> None:
        """Keep the fields and build the text."""
        self.waiting, self.seconds = waiting, seconds
        super().__init__(
            f"{waiting} records were not acknowledged within {seconds:.0f} s; "
            "the ledger does not count them; check whether the broker or the receiver is up"
        )


class SnapshotUnusable(GeneratorError):
    """A shard's stored state cannot be used.

    Attributes:
        reason: The problem.
    """

    def __init__(self, reason: str) -> None:
        """Keep the field and build the text."""
        self.reason = reason
        super().__init__(
            f"the stored state of a shard cannot be used: {reason}; run the version that "
            "wrote it, or start a new run"
        )


class WorldChanged(GeneratorError):
    """This process makes other events than the run has: its data or libraries differ.

    Attributes:
        what: The part that differs.
        written: The versions of the libraries that the run began with.
        present: The versions of this process.
        changed: Libraries whose versions differ, as ``name before -> now``.
        reason: The problem, without what to do.
    """

    def __init__(self, what: str, written: dict[str, str], present: dict[str, str]) -> None:
        """Keep the fields and build the text."""
        self.what, self.written, self.present = what, written, present
        self.changed = [
            f"{name} {written.get(name)} -> {present.get(name)}"
            for name in sorted(written | present)
            if written.get(name) != present.get(name)
        ]
        same = ", ".join(f"{name} {version}" for name, version in sorted(present.items()))
        cause = ", ".join(self.changed) or f"no version differs: {same}"
        self.reason = f"this process makes other {what} than the run began with ({cause})"
        super().__init__(f"{self.reason}; run the version that began it, or start a new run")


class ShardTaken(GeneratorError):
    """Another worker has taken over a shard; this worker must stop making its events.

    Attributes:
        shard: The first shard that was taken over.
        holder: The random name of its new holder.
    """

    def __init__(self, shard: int, holder: str) -> None:
        """Keep the fields and build the text."""
        self.shard, self.holder = shard, holder
        super().__init__(
            f"another worker ({holder}) has taken over shard {shard}, because this worker sent no "
            "heartbeat; this worker stops; no event is lost; restart it to wait for its shards"
        )


class OutputRefused(GeneratorError):
    """An output does not belong to this run, so nothing is written to it.

    Attributes:
        place: The output.
        found: What it holds.
        remedy: What to do.
    """

    def __init__(self, place: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.remedy = place, found, remedy
        super().__init__(f"{place} {found}; nothing was changed; {remedy}")


class OutputFailed(GeneratorError):
    """An output can no longer be written.

    Attributes:
        place: The file.
        reason: The system's text.
        remedy: What to do.
    """

    def __init__(self, place: str, reason: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.reason, self.remedy = place, reason, remedy
        super().__init__(f"cannot write {place}: {reason}; {remedy}")


class ReceiverRefused(GeneratorError):
    """An HTTP receiver refuses a request, and a retry cannot help.

    Attributes:
        place: The receiver's address, without secrets.
        code: The status, or the step that failed.
        reason: The start of the receiver's answer.
        setting: The option to check.
    """

    def __init__(self, place: str, code: str, reason: str, setting: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.code, self.reason, self.setting = place, code, reason, setting
        said = f" {reason!r}" if reason else ""
        super().__init__(f"{place} refuses records: {code}{said}; check {setting}")


class RecordTooLarge(GeneratorError):
    """An event is larger than a form allows, so a receiver would refuse it.

    Attributes:
        form: The form's name.
        size_bytes: The event's size in this form.
        most_bytes: The form's limit.
    """

    def __init__(self, form: str, size_bytes: int, most_bytes: int) -> None:
        """Keep the fields and build the text."""
        self.form, self.size_bytes, self.most_bytes = form, size_bytes, most_bytes
        super().__init__(
            f"an event has {size_bytes:,} bytes in the form {form}, which allows {most_bytes:,} "
            "for one; its request was not sent; give the products of --catalog shorter names, or "
            "choose another --form"
        )


class RecordUnusable(GeneratorError):
    """A file is not a valid run record.

    Attributes:
        place: The file.
        found: What it holds.
        remedy: What to do.
    """

    def __init__(self, place: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.remedy = place, found, remedy
        super().__init__(f"{place} has {found}; {remedy}")


class RegistryRefused(GeneratorError):
    """A schema registry has no number for the schema, so nothing is sent.

    Attributes:
        place: The registry's address.
        found: What it answers.
        remedy: What to do.
    """

    def __init__(self, place: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.remedy = place, found, remedy
        super().__init__(f"the schema registry {place} {found}; nothing was sent; {remedy}")
