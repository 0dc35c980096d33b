"""The shard's ledger: figures of events by minute, as in ledger entries."""

from __future__ import annotations

from uuid import UUID

import numpy as np
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.ledger import FAULT_NAMES, LEDGER_FIELDS
from clickstream_generator.core.shard_ledger import (
    MINUTE_MS,
    ShardLedger,
    Tally,
    add_fault,
    tally_events,
)
from worlds import event_rows

RUN_ID = UUID("00000000-0000-4000-8000-000000000007")
MINUTE = 29_400_000 * MINUTE_MS
"""2025-11-24T16:00:00Z"""


def _rows() -> np.ndarray:
    return event_rows(
        {"shard": 1, "event_time_ms": MINUTE, "name": "session_start", "session_seq": 1},
        {"shard": 1, "event_time_ms": MINUTE + 59_999, "name": "view_item", "session_seq": 2,
         "value_minor": 500},
        {"shard": 1, "event_time_ms": MINUTE + 60_000, "name": "purchase", "session_seq": 9,
         "value_minor": 1_000, "is_last": 1},
        {"shard": 1, "event_time_ms": MINUTE + 60_001, "name": "purchase", "session_seq": 3,
         "value_minor": 234},
        {"shard": 2, "event_time_ms": MINUTE, "name": "session_start", "session_seq": 1,
         "is_last": 1},
    )  # fmt: skip


def _tally(rows: np.ndarray) -> Tally:
    """Return the figures of events whose checksums are 2**62, one more, and so on."""
    return tally_events(rows, 2**62 + np.arange(len(rows)))


def _ledger() -> ShardLedger:
    ledger = ShardLedger(1, 4)
    for (shard, minute), figures in _tally(_rows()).items():
        if shard == 1:
            ledger.add(minute, figures)
    return ledger


def _records(ledger: ShardLedger, *, is_end: bool = False) -> list[dict[str, object]]:
    return ledger.records("shop", RUN_ID, 5, 2_500, is_end=is_end)


def _nonzero(record: dict[str, object]) -> dict[str, object]:
    """Return a record's figures that are not 0."""
    names = [*(f"{name}_events" for name in EVENT_NAMES), "events", "revenue_minor"]
    names += ["sessions_begun", "sessions_ended", *(f"{name}_faults" for name in FAULT_NAMES)]
    return {name: record[name] for name in names if record[name]}


def test_events_are_counted_by_minute() -> None:
    """Events count in the minute that they are in, and purchases with their value."""
    first, second = _records(_ledger())

    assert (first["minute"], second["minute"]) == (
        "2025-11-24T16:00:00.000Z",
        "2025-11-24T16:01:00.000Z",
    )
    assert _nonzero(first) == {
        "session_start_events": 1, "view_item_events": 1, "events": 2, "sessions_begun": 1,
    }  # fmt: skip
    assert _nonzero(second) == {
        "purchase_events": 2, "events": 2, "revenue_minor": 1_234, "sessions_ended": 1,
    }  # fmt: skip


def test_checksums_are_added_up() -> None:
    """The checksums of a minute's events are summed, in 64 bits."""
    rows = event_rows(
        *(
            {"shard": 1, "event_time_ms": MINUTE + at, "name": "search"}
            for at in (0, 60_000, 60_001)
        )
    )
    ledger = ShardLedger(1, 4)
    for (_, minute), figures in tally_events(rows, np.array([2**62, 5, 2**61])).items():
        ledger.add(minute, figures)

    assert [row["content_checksum"] for row in _records(ledger)] == [2**62, 2**61 + 5]


def test_shards_are_counted_apart() -> None:
    """The figures are by shard and by the start of the minute."""
    assert list(_tally(_rows())) == [(1, MINUTE), (1, MINUTE + 60_000), (2, MINUTE)]


def test_high_shard_is_counted() -> None:
    """The highest shard number and a far minute do not run into each other."""
    far = 2**31 * MINUTE_MS
    rows = event_rows({"shard": 4_095, "event_time_ms": far + 1, "name": "search"})

    assert list(_tally(rows)) == [(4_095, far)]


def test_nothing_is_tallied_of_nothing() -> None:
    """Without events there are no figures."""
    assert _tally(event_rows()) == {}


def test_faults_are_added() -> None:
    """Each fault counts in the minute of its event, also in one without events."""
    tally = _tally(_rows())
    for moment, fault in (
        (MINUTE + 59_999, FAULT_NAMES[0]),
        (MINUTE + 59_999, FAULT_NAMES[-1]),
        (MINUTE, FAULT_NAMES[-1]),
        (MINUTE - 1, "late"),
    ):
        add_fault(tally, 1, moment, fault)
    ledger = ShardLedger(1, 4)
    for (shard, minute), figures in tally.items():
        if shard == 1:
            ledger.add(minute, figures)

    before, first, _ = _records(ledger)

    assert _nonzero(before) == {"late_faults": 1}
    assert before["minute"] == "2025-11-24T15:59:00.000Z"
    assert first["duplicate_exact_faults"] == 1
    assert first["corrupt_no_value_faults"] == 2
    assert first["events"] == 2


def test_record_is_complete() -> None:
    """A record has exactly the required fields of the ledger."""
    ledger = _ledger()
    ledger.shard_seq, ledger.records_sent, ledger.records_acknowledged = 7, 9, 8

    record = _records(ledger)[0]

    assert set(record) == {row.name for row in LEDGER_FIELDS if row.required}
    assert record["kind"] == "minute"
    assert (record["simulation"], record["run_id"]) == ("shop", str(RUN_ID))
    assert (record["shard"], record["shards"]) == (1, 4)
    assert (record["shard_seq"], record["records_sent"], record["records_acknowledged"]) == (
        7, 9, 8,
    )  # fmt: skip
    assert (record["sessions_open"], record["target_milli_per_second"]) == (5, 2_500)


def test_minute_is_published_when_changed() -> None:
    """A minute has a record when it has changed since the last one, with all that it has."""
    ledger = _ledger()
    _records(ledger)

    assert _records(ledger) == []

    ledger.add(MINUTE, _tally(_rows())[1, MINUTE])
    (record,) = _records(ledger)
    assert record["events"] == 4


def test_added_figures_are_copied() -> None:
    """The ledger copies the figures it is given."""
    figures = _tally(_rows())[1, MINUTE]
    ledger = ShardLedger(1, 4)
    ledger.add(MINUTE, figures)
    figures += 100
    ledger.add(MINUTE, figures * 0)

    assert _records(ledger)[0]["events"] == 2


def test_end_has_last_minute() -> None:
    """The shard's last record names its last minute and has no figures of it."""
    ledger = _ledger()

    records = _records(ledger, is_end=True)

    assert [row["kind"] for row in records] == ["minute", "minute", "shard_end"]
    assert records[-1]["minute"] == records[-2]["minute"]
    assert _nonzero(records[-1]) == {}


def test_empty_shard_ends() -> None:
    """A shard without any event ends at the beginning of time."""
    (record,) = _records(ShardLedger(0, 1), is_end=True)

    assert (record["kind"], record["minute"]) == ("shard_end", "1970-01-01T00:00:00.000Z")


def test_ledger_survives_as_arrays() -> None:
    """Read back, every minute counts as changed, and what was under way as not sent."""
    ledger = _ledger()
    ledger.shard_seq, ledger.records_sent, ledger.records_acknowledged = 7, 9, 8
    expected = _records(ledger)

    again = ShardLedger.from_arrays(1, 4, ledger.to_arrays())

    assert (again.shard, again.shards) == (1, 4)
    assert (again.shard_seq, again.records_sent, again.records_acknowledged) == (7, 8, 8)
    assert [_nonzero(row) for row in _records(again)] == [_nonzero(row) for row in expected]


def test_empty_ledger_survives() -> None:
    """A ledger without a minute is read back too."""
    again = ShardLedger.from_arrays(0, 1, ShardLedger(0, 1).to_arrays())

    assert (again.minutes, again.changed, again.shard_seq) == ({}, set(), 0)


def test_old_minutes_are_forgotten() -> None:
    """Published minutes before the moment are dropped; later and changed ones are kept."""
    ledger = _ledger()
    ledger.forget_before(MINUTE + 60_000)
    assert set(ledger.minutes) == {MINUTE, MINUTE + 60_000}

    _records(ledger)
    ledger.forget_before(MINUTE)
    assert set(ledger.minutes) == {MINUTE, MINUTE + 60_000}

    ledger.forget_before(MINUTE + 1)
    assert set(ledger.minutes) == {MINUTE + 60_000}
