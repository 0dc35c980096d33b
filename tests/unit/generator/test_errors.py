"""Errors of the generator: their fields and their text."""

from __future__ import annotations

from clickstream_generator.errors import (
    BrokerRefused,
    DrainTimeout,
    GeneratorError,
    OutputFailed,
    OutputRefused,
    RecordTooLarge,
    RecordUnusable,
    ShardTaken,
    SnapshotUnusable,
    WorldChanged,
)


def test_refusal_names_a_setting() -> None:
    """A refusal says Kafka's reason and which setting to look at."""
    error = BrokerRefused("MSG_SIZE_TOO_LARGE", "too large", "max.message.bytes")

    assert (error.code, error.reason, error.setting) == (
        "MSG_SIZE_TOO_LARGE", "too large", "max.message.bytes",
    )  # fmt: skip
    assert str(error) == (
        "Kafka refuses records: too large (MSG_SIZE_TOO_LARGE); check max.message.bytes"
    )
    assert isinstance(error, GeneratorError)


def test_timeout_counts_records() -> None:
    """A time-out says how many records were waited for, and how long."""
    error = DrainTimeout(7, 25.4)

    assert (error.waiting, error.seconds) == (7, 25.4)
    assert str(error).startswith("7 records were not acknowledged within 25 s; ")
    assert isinstance(error, GeneratorError)


def test_unusable_snapshot_has_reason() -> None:
    """An unusable snapshot says why, and what to do."""
    error = SnapshotUnusable("its format is 2")

    assert error.reason == "its format is 2"
    assert "cannot be used: its format is 2; run the version that wrote it" in str(error)
    assert isinstance(error, GeneratorError)


def test_too_large_record_has_sizes() -> None:
    """An event that a form does not allow has its size, the limit, and what to do."""
    error = RecordTooLarge("segment", 40_000, 32_000)

    assert (error.form, error.size_bytes, error.most_bytes) == ("segment", 40_000, 32_000)
    assert "has 40,000 bytes in the form segment, which allows 32,000" in str(error)
    assert "give the products of --catalog shorter names" in str(error)


def test_taken_shard_names_its_holder() -> None:
    """A worker that lost a shard says which, to which other worker, and that nothing is lost."""
    error = ShardTaken(3, "abc")

    assert (error.shard, error.holder) == (3, "abc")
    assert "another worker (abc) has taken over shard 3" in str(error)
    assert "no event is lost" in str(error)
    assert isinstance(error, GeneratorError)


def test_changed_world_names_versions() -> None:
    """A run that would not be the same says what differs, and which versions."""
    error = WorldChanged("cities", {"faker": "1", "numpy": "2"}, {"faker": "3", "numpy": "2"})

    assert (error.what, error.changed) == ("cities", ["faker 1 -> 3"])
    assert "other cities than the run began with (faker 1 -> 3)" in str(error)
    assert str(error).endswith("; run the version that began it, or start a new run")
    assert isinstance(error, GeneratorError)


def test_refused_output_names_its_content() -> None:
    """A refused output names its content, that nothing was changed, and the remedy."""
    error = OutputRefused("csv:a", "holds b", "name another")

    assert (error.place, error.found, error.remedy) == ("csv:a", "holds b", "name another")
    assert str(error) == "csv:a holds b; nothing was changed; name another"
    assert isinstance(error, GeneratorError)


def test_failed_output_names_its_file() -> None:
    """An output that fails names file, reason and cure."""
    error = OutputFailed("a/b", "disk full", "make room")

    assert (error.place, error.reason, error.remedy) == ("a/b", "disk full", "make room")
    assert str(error) == "cannot write a/b: disk full; make room"
    assert isinstance(error, GeneratorError)


def test_unusable_record_names_its_file() -> None:
    """An invalid record is an error with its file and the expected content."""
    error = RecordUnusable("run.json", "no format", "it must be one")

    assert (error.place, error.found, error.remedy) == ("run.json", "no format", "it must be one")
    assert str(error) == "run.json has no format; it must be one"
    assert isinstance(error, GeneratorError)
