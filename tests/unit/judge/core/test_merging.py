"""The comparison of truth and result: exactly the planted differences are found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from clickstream_judge.core.merging import Kind, ResultRow, TrueEvent, compare
from hypothesis import given, settings
from hypothesis import strategies as st

FIELDS = ("country", "city")
KEPT = "kept"
PLANTED = (
    Kind.LOST, Kind.REJECTED, Kind.DUPLICATED, Kind.STORED_AND_REJECTED, Kind.PHANTOM, Kind.ALTERED,
    Kind.MISPLACED,
)  # fmt: skip


def _event(number: int, late_seconds: float = 0.0) -> TrueEvent:
    return TrueEvent(f"{number:04}", 60_000 * number, ("DE", "Köln"), 0, number, late_seconds)


def _row(event: TrueEvent) -> ResultRow:
    return ResultRow(event.id, event.time_ms, event.values)


def _planted(event: TrueEvent, action: str) -> tuple[list[ResultRow], Counter[tuple[str, str]]]:
    """Return the rows of an event with a defect, and what must be found."""
    row = _row(event)
    match action:
        case Kind.LOST | Kind.REJECTED:
            return [], Counter({(action, ""): 1})
        case Kind.DUPLICATED:
            return [row, row, row], Counter({(Kind.DUPLICATED, ""): 2})
        case Kind.PHANTOM:
            invented = replace(row, id=f"{event.id}x")
            return [row, invented, invented], Counter({(Kind.PHANTOM, ""): 2})
        case Kind.ALTERED:
            changed = replace(row, values=("FR", None))
            return [changed], Counter({(Kind.ALTERED, name): 1 for name in FIELDS})
        case Kind.MISPLACED:
            moved = replace(row, time_ms=event.time_ms + 3_600_000)
            return [moved], Counter({(Kind.MISPLACED, ""): 1})
        case _:
            return [row], Counter({(action, ""): 1} if action != KEPT else ())


@settings(max_examples=50)
@given(st.lists(st.sampled_from([KEPT, *PLANTED]), max_size=40))
def test_planted_is_found(actions: list[str]) -> None:
    """For random planted defects, the findings are exactly those."""
    truth = [_event(number) for number in range(len(actions))]
    rows: list[ResultRow] = []
    rejects: list[tuple[str, str | None]] = [("", None)]
    expected: Counter[tuple[str, str]] = Counter()
    for event, action in zip(truth, actions, strict=True):
        made, found = _planted(event, action)
        rows += made
        expected += found
        if "rejected" in action:
            rejects.append((event.id, "why"))
        rejects.append((f"{event.id}x", None))

    found = Counter()
    for finding in compare(truth, rows, FIELDS, rejected=rejects):
        found[finding.kind, finding.field] += finding.copies

    assert found == expected


def test_late_policy() -> None:
    """A late event may be missing only if it is later than the policy's limit."""
    truth = [_event(1, 30.0), _event(2, 90.0)]

    def kinds(limit: float | None) -> list[Kind]:
        return [row.kind for row in compare(truth, [], FIELDS, limit)]

    assert kinds(None) == [Kind.LATE_DROPPED, Kind.LATE_DROPPED]
    assert kinds(60.0) == [Kind.LATE_DROPPED, Kind.ALLOWED]


def test_best_row_is_compared() -> None:
    """Of several rows of an event, the one that fits is compared."""
    event = _event(1)
    bad = replace(_row(event), values=("DE", "Old Köln"))

    (finding,) = compare([event], [bad, _row(event)], FIELDS)

    assert (finding.kind, finding.row) == (Kind.DUPLICATED, _row(event))


def test_time_counts_most() -> None:
    """A row at the event's time is compared, though one at another time has more right values."""
    event = _event(1)
    moved = replace(_row(event), time_ms=event.time_ms + 1)
    changed = replace(_row(event), values=("FR", None))

    found = list(compare([event], [moved, changed], FIELDS))

    assert [(row.kind, row.field) for row in found] == [
        (Kind.DUPLICATED, ""), (Kind.ALTERED, "country"), (Kind.ALTERED, "city"),
    ]  # fmt: skip


def test_other_minute_is_misplaced() -> None:
    """Within its minute a moved event has an altered time; outside it is misplaced."""
    event = _event(2)

    def kind(time_ms: int) -> Kind:
        (finding,) = compare([event], [replace(_row(event), time_ms=time_ms)], FIELDS)
        return finding.kind

    assert kind(179_999) is Kind.ALTERED
    assert kind(180_000) is kind(119_999) is Kind.MISPLACED


def test_rows_without_id_or_time() -> None:
    """A row without an id is a phantom; one without a time has an altered time."""
    event = _event(1)
    nameless = ResultRow("", 5, ("DE", "Köln"))
    timeless = replace(_row(event), time_ms=None)
    moved = replace(_row(_event(2)), time_ms=120_001)

    found = list(compare([event, _event(2)], [nameless, nameless, timeless, moved], FIELDS))

    assert [(row.kind, row.field) for row in found] == [
        (Kind.PHANTOM, ""), (Kind.PHANTOM, ""),
        (Kind.ALTERED, "event_time"), (Kind.ALTERED, "event_time"),
    ]  # fmt: skip
    assert [(row.expected, row.found) for row in found[2:]] == [
        ("60000", None), ("120000", "120001"),
    ]  # fmt: skip


def test_rows_of_one_id_are_bounded() -> None:
    """All rows of one id are counted, though only the first ones are kept."""
    event = _event(1)
    invented = replace(_row(event), id="zzz")

    found = list(compare([event], [*[_row(event)] * 2500, *[invented] * 1500], FIELDS))

    counts = Counter[Kind]()
    for finding in found:
        counts[finding.kind] += finding.copies
    assert counts == {Kind.DUPLICATED: 2499, Kind.PHANTOM: 1500}
    assert len(found) == 1001
