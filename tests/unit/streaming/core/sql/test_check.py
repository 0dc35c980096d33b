"""A check, and the comparison with which most checks end."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from clickstream_streaming.core.sql.check import Check, differing, summed


def test_check_is_fixed() -> None:
    """A check cannot change after it is made."""
    check = Check("orders", "lost", "SELECT 1")

    with pytest.raises(FrozenInstanceError):
        check.query = "SELECT 2"  # type: ignore[misc]


def test_rows_are_the_defects() -> None:
    """Without a column of numbers, each row of a check is one defect."""
    assert summed(Check("orders", "lost", "SELECT 1"), 7) == summed(
        Check("orders", "lost", "SELECT 1", has_counts=False), 7
    )


@pytest.mark.parametrize(
    ("has_counts", "figure", "columns"),
    [(False, "count(*)", "shown"), (True, "sum(defects)", "shown, defects")],
)
def test_defects_are_counted_by_postgres(
    has_counts: bool,  # noqa: FBT001  a case
    figure: str,
    columns: str,
) -> None:
    """The query returns one row with the number of defects and the examples."""
    check = Check("orders", "lost", "SELECT 1", has_counts=has_counts)

    assert " ".join(summed(check, 7).split()) == (
        f"SELECT coalesce({figure}, 0)::bigint,"  # noqa: S608  compared only
        " coalesce(array_agg(shown) FILTER (WHERE number <= 7), ARRAY[]::text[])"
        f" FROM ( SELECT *, row_number() OVER () AS number FROM (SELECT 1) AS found ({columns})"
        " ) AS numbered"
    )


def test_comparison_has_both_directions() -> None:
    """A row on only one side differs; each key is named once."""
    text = " ".join(differing("'row ' || key", "key, part").split())

    assert text == (
        "SELECT 'row ' || key FROM ("
        " (SELECT * FROM found EXCEPT SELECT * FROM wanted)"
        " UNION ALL"
        " (SELECT * FROM wanted EXCEPT SELECT * FROM found)"
        " ) AS differing GROUP BY key, part"
    )
