"""Likely causes: named if the pattern holds for every finding, else not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clickstream_judge.core.causes import Evidence
from clickstream_judge.core.merging import Finding, Kind, ResultRow, TrueEvent

HOUR_MS = 3_600_000


def _event(seq: int, *, late: float = 0.0, is_repeated: bool = False) -> TrueEvent:
    return TrueEvent(f"id{seq}", 0, (), 0, seq, late, is_repeated)


def _cause(findings: list[Finding], ranges: int = 1, late: int = 0) -> str:
    evidence = Evidence()
    for finding in findings:
        evidence.add(finding)
    first = findings[0]
    return evidence.cause(first.kind, first.field, len(findings), ranges, {"late": late})


def _changes(field: str, *values: tuple[str | None, str | None]) -> list[Finding]:
    row = ResultRow("", 0, ())
    return [Finding(Kind.ALTERED, _event(1), row, field, before, after) for before, after in values]


@pytest.mark.parametrize(
    ("field", "values", "part"),
    [
        ("value_minor", [("1999", "1900"), ("250", "200"), ("101", "100")], "decimal point"),
        ("value_minor", [("1999", "199900"), ("250", "25000"), ("101", "10100")], "multiplied"),
        ("value_minor", [("1999", "19.99"), ("250", "2.5"), ("101", "1.01")], "divided"),
        ("value_minor", [("1999", "1998"), ("250", "251"), ("101", "100")], "one cent"),
        ("value_minor", [("1999", "1900"), ("250", "200"), ("101", "7")], ""),
        ("value_minor", [("1999", "1997"), ("250", "252"), ("101", "99")], ""),
        ("value_minor", [("1999", "much"), ("250", "200"), ("101", "100")], ""),
        ("city", [("Köln", "KÃ¶ln"), ("Zürich", "ZÃ¼rich"), ("Łódź", "Å\x81Ã³dÅº")], "Latin-1"),
        ("city", [("Łódź", "Lodz"), ("Köln", "KÃ¶ln"), ("Zürich", "ZÃ¼rich")], ""),
        ("city", [("Köln", "K?ln"), ("Zürich", "Z?rich"), ("Łódź", "??d?")], "outside ASCII"),
        ("city", [("Köln", "KÖLN"), ("Bern", "BERN"), ("Rom", "ROM")], "case"),
        ("city", [("Köln", "Köln "), ("Bern", " Bern"), ("Rom", "Rom ")], "spaces"),
        ("city", [("Mannheim", "Mannh"), ("Stuttgart", "Stutt"), ("Hamburg", "Hambu")], "cut"),
        ("city", [("Köln", None), ("Bern", None), ("Rom", None)], "no value"),
        ("city", [("Köln", None), ("Bern", "BERN"), ("Rom", "ROM")], ""),
        ("session_seq", [("1", "2"), ("2", "3"), ("3", "4")], ""),
        ("city", [("Köln", "KÖLN")], ""),
    ],
)  # fmt: skip
def test_causes_of_values(field: str, values: list[tuple[str, str]], part: str) -> None:
    """A cause is named only if it explains every altered value."""
    cause = _cause(_changes(field, *values))

    assert part in cause
    assert bool(part) == bool(cause)


def test_causes_of_lost() -> None:
    """One range, several ranges and scattered events differ."""
    lost = [Finding(Kind.LOST, _event(seq), None) for seq in range(9)]

    assert "one contiguous range" in _cause(lost)
    assert "whole batches" in _cause(lost, ranges=3)
    assert not _cause(lost, ranges=4)
    assert not _cause(lost, ranges=9)


def test_causes_of_late() -> None:
    """Late events that are missing point to the watermark."""
    dropped = [Finding(Kind.LATE_DROPPED, _event(seq, late=5.0), None) for seq in range(3)]

    assert _cause(dropped, late=3).startswith("every late event")
    assert _cause(dropped, late=4).startswith("late events")


def test_causes_of_duplicates() -> None:
    """Batches that came twice differ from ids that the run sent twice."""
    row = ResultRow("", 0, ())

    def twice(count: int, *, is_repeated: bool) -> list[Finding]:
        return [
            Finding(Kind.DUPLICATED, _event(seq, is_repeated=is_repeated), row)
            for seq in range(count)
        ]

    assert "on purpose" in _cause(twice(3, is_repeated=True), ranges=3)
    assert "idempotence" in _cause(twice(30, is_repeated=False), ranges=3)
    assert not _cause(twice(3, is_repeated=False), ranges=3)


@pytest.mark.parametrize(
    ("shifts", "part"),
    [
        ([HOUR_MS] * 3, "+1 h: a time zone"),
        ([HOUR_MS, 2 * HOUR_MS, HOUR_MS], "daylight saving"),
        ([-5 * HOUR_MS, 7 * HOUR_MS, 7 * HOUR_MS], "-5 h or +7 h"),
        ([HOUR_MS, HOUR_MS, 61_000], ""),
        ([HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 4 * HOUR_MS, 5 * HOUR_MS], ""),
    ],
)
def test_causes_of_shifts(shifts: list[int], part: str) -> None:
    """Whole hours are a time zone."""
    time_ms = 90_000
    event = replace(_event(1), time_ms=time_ms)
    moved = [Finding(Kind.MISPLACED, event, ResultRow("", time_ms + shift, ())) for shift in shifts]

    assert part in _cause(moved)
    assert bool(part) == bool(_cause(moved))


def test_phantoms_have_no_cause() -> None:
    """Nothing is known about rows of nowhere."""
    assert not _cause([Finding(Kind.PHANTOM, None, ResultRow("a", 0, ()))] * 5)


def test_reason_of_rejects() -> None:
    """One reason for all rejected events is the likely cause; several reasons are none."""

    def rejected(*reasons: str | None) -> list[Finding]:
        return [Finding(Kind.REJECTED, _event(1), None, found=reason) for reason in reasons]

    assert "one reason: 'bad city'" in _cause(rejected(*["bad city"] * 3))
    assert _cause(rejected("bad city", "bad city", "late")) == ""
    assert _cause(rejected(None, None, None)) == ""


@pytest.mark.parametrize(
    ("numbers", "events", "is_named"),
    [
        ([*range(0, 400, 4)], 2_000, True),
        ([*range(0, 400, 4), *range(1_000, 1_400, 4)], 2_000, True),
        ([*range(0, 400, 4)], 794, True),
        ([*range(0, 400, 4)], 793, False),
        ([*range(0, 2_000, 20)], 2_000, False),
        ([*range(0, 9_000, 90)], 20_000, False),
    ],
)
def test_causes_of_partitions(numbers: list[int], events: int, *, is_named: bool) -> None:
    """Dense places are batches of some partitions; events that are everywhere are not."""
    for kind in (Kind.LOST, Kind.DUPLICATED):
        evidence = Evidence()
        for number in numbers:
            evidence.add(Finding(kind, _event(number), ResultRow("", 0, ())))
        totals = {"events": events}
        cause = evidence.cause(kind, "", len(numbers), len(numbers), totals)

        assert ("some partitions" in cause) == is_named
