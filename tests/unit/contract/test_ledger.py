"""The ledger's table: names, types and the reasons of planted faults."""

from __future__ import annotations

from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import (
    FAULT_NAMES,
    FAULT_REASONS,
    LEDGER_COLUMNS,
    LEDGER_FIELDS,
    LedgerKind,
)
from clickstream_contract.topics import RejectReason


def test_each_field_comes_once() -> None:
    """No name comes twice."""
    assert len({row.name for row in LEDGER_FIELDS}) == len(LEDGER_FIELDS)


def test_fields_are_in_order() -> None:
    """A record has its origin, its figures by event and by fault, and the shard's counts."""
    assert [row.name for row in LEDGER_FIELDS] == [
        *("kind", "simulation", "run_id", "shard", "shards", "minute", "events"),
        *(f"{name}_events" for name in EVENT_NAMES),
        *("revenue_minor", "content_checksum", "sessions_begun", "sessions_ended"),
        *(f"{name}_faults" for name in FAULT_NAMES),
        *("shard_seq", "records_sent", "records_acknowledged"),
        *("sessions_open", "target_milli_per_second"),
        "run_record",
    ]


def test_only_run_record_is_optional() -> None:
    """Every kind of entry has the same fields, and a revision the run record too."""
    assert [row.name for row in LEDGER_FIELDS if not row.required] == ["run_record"]
    assert ("kind", *(row.name for row in LEDGER_COLUMNS), "run_record") == tuple(
        row.name for row in LEDGER_FIELDS
    )


def test_counts_are_never_negative() -> None:
    """Every count is a 64-bit number of at least 0, and each record has all of them."""
    counts = [row for row in LEDGER_FIELDS if row.type is FieldType.BIGINT]

    assert len(counts) == 10 + len(EVENT_NAMES) + len(FAULT_NAMES)
    assert {row.minimum for row in counts} == {0}
    assert {row.name for row in counts if row.maximum is None} == {
        "revenue_minor", "content_checksum",
    }  # fmt: skip
    assert {row.maximum for row in counts} == {None, 10**12}
    assert all(row.required and not row.events for row in counts)


def test_shards_are_numbered_from_zero() -> None:
    """A shard's number is at least 0, and there is at least one."""
    bounds = {
        row.name: (row.minimum, row.maximum)
        for row in LEDGER_FIELDS
        if row.type is FieldType.INTEGER
    }

    assert bounds == {"shard": (0, 1_023), "shards": (1, 1_024)}


def test_kinds_have_their_names() -> None:
    """A record is about the start of a run, a revision, a minute, or the end of a shard."""
    kinds = ("run_start", "revision", "minute", "shard_end")

    assert tuple(kind.value for kind in LedgerKind) == LEDGER_FIELDS[0].values == kinds


def test_faulty_records_have_a_reason() -> None:
    """Every fault that makes a record unfit has the reason with which it is rejected."""
    harmless = {"duplicate_exact", "duplicate_conflicting", "late", "lost"}

    assert set(FAULT_REASONS) == set(FAULT_NAMES) - harmless
    assert FAULT_REASONS["future"] is RejectReason.FUTURE_TIME
    assert FAULT_REASONS["corrupt_truncated"] is RejectReason.NOT_JSON
    assert FAULT_REASONS["corrupt_nul"] is RejectReason.BAD_ENCODING
    for name, reason in FAULT_REASONS.items():
        if name.removeprefix("corrupt_") in {row.value for row in RejectReason}:
            assert reason.value == name.removeprefix("corrupt_")
