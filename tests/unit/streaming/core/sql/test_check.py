"""A check, and the comparison with which most checks end."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from clickstream_streaming.core.sql.check import Check, differing, summed


def test_check_is_fixed() -> None:
    """A check cannot change after it is made."""
    check = Check("orders", "lost", "SELECT 1")

    with pytest.raises(FrozenInstanceError):
        check.rows = "SELECT 2"  # type: ignore[misc]


def test_rows_are_the_defects() -> None:
    """Without a column of numbers, each row of a check is one defect."""
    assert summed([Check("orders", "lost", "SELECT 1")], 7) == summed(
        [Check("orders", "lost", "SELECT 1", has_counts=False)], 7
    )


def test_query_includes_basis() -> None:
    """A check's query can run alone: it begins with the basis, if the check has one."""
    assert Check("orders", "lost", "SELECT 1").query == "SELECT 1"
    assert Check("orders", "lost", "TABLE one", basis="one AS (SELECT 1)").query == (
        "WITH one AS (SELECT 1)\nSELECT * FROM (TABLE one) AS found"
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

    assert " ".join(summed([check], 7).split()) == (
        "SELECT defects, examples FROM ("  # noqa: S608  compared only
        f" SELECT 0 AS place, coalesce({figure}, 0)::bigint AS defects,"
        " coalesce(array_agg(shown) FILTER (WHERE number <= 7), ARRAY[]::text[]) AS examples"
        f" FROM ( SELECT *, row_number() OVER () AS number FROM (SELECT 1) AS found ({columns})"
        " ) AS numbered ) AS one ORDER BY place"
    )


def test_checks_share_their_basis() -> None:
    """Checks with one basis are one statement, in which the basis comes once, and first."""
    basis = "one AS (SELECT 1)"
    checks = [Check(rows, "lost", rows, basis=basis) for rows in ("TABLE a", "TABLE b")]

    text = summed(checks, 7)

    assert text.startswith(f"WITH {basis}\nSELECT defects, examples FROM (")
    assert text.count(basis) == 1
    assert text.index("SELECT 0 AS place") < text.index("FROM (TABLE a)")
    assert text.index("UNION ALL") < text.index("SELECT 1 AS place")
    assert "FROM (TABLE b)" in text


def test_comparison_has_both_directions() -> None:
    """A row on only one side differs, and so does one with another value; each is named once."""
    text = " ".join(differing("'row ' || key", "key, part", "size").split())

    assert text == (
        "SELECT 'row ' || key FROM found FULL JOIN wanted USING (key, part)"
        " WHERE (found.key, found.part, found.size)"
        " IS DISTINCT FROM (wanted.key, wanted.part, wanted.size)"
    )
    assert differing("key", "key", "size", "true").rstrip().endswith(" AND true")
