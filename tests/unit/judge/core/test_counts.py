"""The comparison by counts: what differs per minute, without ids."""

from __future__ import annotations

from clickstream_contract.events import EVENT_NAMES
from clickstream_judge.core.counts import compare_counts
from clickstream_judge.core.ledger import MinuteFigures
from clickstream_judge.core.merging import Kind

NAMES = (4, 6, *(0 for _ in EVENT_NAMES[2:]))
TRUTH = {minute: MinuteFigures(10, 500, NAMES) for minute in (1, 2)}


def _found(*rows: tuple[int | None, ...]) -> dict[tuple[Kind, str], int]:
    return {
        (row.kind, row.column): row.count
        for row in compare_counts(TRUTH, rows, 3)  # type: ignore[arg-type]
    }


def test_equal_counts_agree() -> None:
    """Equal counts, names and revenue are no difference."""
    assert not _found((1, 10), (2, 10, *NAMES))
    assert not _found((1, 10, *NAMES, 500), (2, 10, *NAMES, 500))


def test_counts_that_differ() -> None:
    """Too few rows are lost, too many are duplicated, those of no minute are phantoms."""
    assert _found((1, 7), (2, 12)) == {(Kind.LOST, ""): 3, (Kind.DUPLICATED, ""): 2}
    assert _found((1, 10)) == {(Kind.LOST, ""): 10}
    assert _found((1, 10), (2, 10), (9, 1), (None, 2)) == {(Kind.PHANTOM, ""): 3}


def test_values_that_differ() -> None:
    """With equal counts, other names and another revenue are altered values."""
    other = (5, 5, *NAMES[2:])

    assert _found((1, 10, *other, 500), (2, 10, *NAMES, 499)) == {
        (Kind.ALTERED, "event_name"): 2,
        (Kind.ALTERED, "value_minor"): 1,
    }


def test_values_need_equal_counts() -> None:
    """Where rows are missing or too many, their names and revenue say nothing."""
    assert _found((1, 10), (2, 12, *NAMES[::-1], 499)) == {(Kind.DUPLICATED, ""): 2}


def test_differences_have_an_order() -> None:
    """The columns of a kind come by their names, whichever minute differs first."""
    other = (5, 5, *NAMES[2:])

    found = compare_counts(TRUTH, [(1, 10, *NAMES, 499), (2, 10, *other, 500)], 3)
    assert [row.column for row in found] == ["event_name", "value_minor"]
