"""The judge's statements: canonical texts and counts, as DuckDB answers them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from clickstream_contract.events import EVENT_NAMES
from clickstream_judge.core.dialect import DUCKDB, POSTGRES
from clickstream_judge.core.fields import Comparison, checksums
from clickstream_judge.core.mapping import AggregateTable, Column
from clickstream_judge.core.statements import (
    Source,
    Statements,
    aggregate_statement,
    rejected_ids,
    value_sql,
)
from clickstream_judge.errors import ResultUnfit

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = {
    name: Column(column=name)
    for name in ("event_id", "event_time", "event_name", "session_seq", "value_minor")
}
TYPES = dict.fromkeys(("event_id", "event_name"), "VARCHAR") | dict.fromkeys(
    ("event_time", "session_seq", "value_minor"), "BIGINT"
)
EVENTS = Source("events", "events", TYPES)
ROWS = """
    ('RUN-b', 60000, 'purchase', 3, 250), ('run-a', 119999, 'purchase', 4, 50),
    ('run-d', 120000, 'page_view', 1, NULL), ('other-c', NULL, NULL, 2, NULL),
    (NULL, 60001, 'page_view', 5, 900)
"""


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with five events in two minutes, one of them without a time."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            f"CREATE TABLE events AS FROM (VALUES {ROWS}) AS v({', '.join(COLUMNS)})"
        )
        yield connection


def _statements(until_ms: int | None = None, prefix: str = "", *left_out: str) -> Statements:
    columns = {
        name: Column(column=name, unit="ms" if name == "event_time" else None)
        for name in COLUMNS if name not in left_out
    }  # fmt: skip
    return Statements(DUCKDB, EVENTS, columns, until_ms, prefix)


def _value(value: str, type_name: str, comparison: Comparison, unit: Any = None) -> object:  # noqa: ANN401  any unit
    """Return what DuckDB makes of one value."""
    source = Source(f"(SELECT CAST({value} AS {type_name}) AS x) AS one", "one", {"x": type_name})
    sql = value_sql(DUCKDB, source, "columns.x", Column(column="x", unit=unit), comparison)
    with duckdb.connect(":memory:") as connection:
        (found,) = connection.execute(f"SELECT {sql} FROM {source.sql}").fetchall()  # noqa: S608
    return found[0]


@pytest.mark.parametrize(
    ("value", "type_name", "comparison", "unit", "found"),
    [
        ("'Köln'", "VARCHAR", Comparison.TEXT, None, "Köln"),
        ("'5E0F6A0C-0000-4000-8000-00000000000A'", "UUID", Comparison.TEXT, None,
         "5e0f6a0c-0000-4000-8000-00000000000a"),
        ("7", "BIGINT", Comparison.INTEGER, None, "7"),
        ("7", "DECIMAL(9, 2)", Comparison.INTEGER, None, "7"),
        ("7.5", "DECIMAL(9, 2)", Comparison.INTEGER, None, "7.500000"),
        ("'12'", "VARCHAR", Comparison.INTEGER, None, "12"),
        ("'many'", "VARCHAR", Comparison.INTEGER, None, "many"),
        ("-3", "DOUBLE", Comparison.INTEGER, None, "-3"),
        ("1999", "INTEGER", Comparison.MONEY, "minor", "1999"),
        ("1999", "INTEGER", Comparison.MONEY, None, "1999"),
        ("19.99", "DECIMAL(9, 2)", Comparison.MONEY, "major", "1999"),
        ("19.99", "DOUBLE", Comparison.MONEY, "major", "1999"),
        ("20", "INTEGER", Comparison.MONEY, "major", "2000"),
        ("12", "BIGINT", Comparison.TIME, "s", 12_000),
        ("12.3456", "DOUBLE", Comparison.TIME, "s", 12_345),
        ("12345", "BIGINT", Comparison.TIME, "ms", 12_345),
        ("12345999", "BIGINT", Comparison.TIME, "us", 12_345),
        ("'1970-01-01 00:00:01.5'", "TIMESTAMP", Comparison.TIME, None, 1_500),
    ],
)  # fmt: skip
def test_values_are_canonical(
    value: str, type_name: str, comparison: Comparison, unit: Any, found: object  # noqa: ANN401  any unit
) -> None:  # fmt: skip
    """A value has one text, or one number of milliseconds, whatever the type of its column."""
    assert _value(value, type_name, comparison, unit) == found


@pytest.mark.parametrize(
    ("type_name", "comparison", "unit"),
    [
        ("BIGINT", Comparison.TEXT, None),
        ("BOOLEAN", Comparison.INTEGER, None),
        ("BOOLEAN", Comparison.MONEY, "major"),
        ("BIGINT", Comparison.TIME, None),
        ("UUID", Comparison.TIME, "s"),
    ],
)
def test_other_types_are_unfit(type_name: str, comparison: Comparison, unit: Any) -> None:  # noqa: ANN401  any unit
    """A type that cannot be compared is an error with its name and the way out."""
    source = Source("t", "t", {"x": type_name})

    with pytest.raises(ResultUnfit, match=f"column 'x' of t has the type {type_name}") as caught:
        value_sql(POSTGRES, source, "columns.x", Column(column="x", unit=unit), comparison)
    assert caught.value.path == "columns.x"
    assert comparison.value in caught.value.found


def test_missing_column() -> None:
    """A column that is not there is an error that names the others."""
    with pytest.raises(ResultUnfit, match=r"t has no column 'y'; name one of x, z"):
        value_sql(
            DUCKDB, Source("t", "t", {"x": "UUID", "z": "UUID"}), "p", Column(column="y"),
            Comparison.TEXT,
        )  # fmt: skip


def test_checksums_equal_the_truth(database: duckdb.DuckDBPyConnection) -> None:
    """The engine counts the rows of a minute and sums the checksums that the truth has."""
    texts = (["run-b", "run-a", None], ["60000", "119999", "60001"],
             ["purchase", "purchase", "page_view"], ["3", "4", "5"],
             ["250", "50", "900"])  # fmt: skip
    right = checksums([pa.array(column, pa.string()) for column in texts])

    found = {row[0]: row[1:] for row in database.execute(_statements().minutes()).fetchall()}

    assert found[1] == (3, sum(right.tolist()))
    assert {minute: row[0] for minute, row in found.items()} == {1: 3, 2: 1, None: 1}


@pytest.mark.parametrize(
    ("until_ms", "prefix", "rows"),
    [(None, "", 5), (120_000, "", 4), (119_999, "", 3), (None, "run-", 3), (119_999, "run-", 1)],
)
def test_only_asked_rows(
    database: duckdb.DuckDBPyConnection, until_ms: int | None, prefix: str, rows: int
) -> None:
    """Rows from the moment on are left out, and rows of other runs; a row without a time stays."""
    found = database.execute(_statements(until_ms, prefix).minutes()).fetchall()

    assert sum(row[1] for row in found) == rows


def test_rows_are_in_order(database: duckdb.DuckDBPyConnection) -> None:
    """Rows of the asked minutes come by their ids in lower case, without one first."""
    statements = _statements()
    one = database.execute(statements.rows([(1, 2)], has_timeless=False)).fetchall()
    both = database.execute(statements.rows([(1, 2), (2, 3)], has_timeless=True)).fetchall()

    assert statements.fields == ("event_name", "session_seq", "value_minor")
    assert one == [
        ("", 60_001, "page_view", "5", "900"), ("run-a", 119_999, "purchase", "4", "50"),
        ("run-b", 60_000, "purchase", "3", "250"),
    ]  # fmt: skip
    assert [row[0] for row in both] == ["", "other-c", "run-a", "run-b", "run-d"]


def test_counts_without_ids(database: duckdb.DuckDBPyConnection) -> None:
    """Without ids, a minute has its rows, those of each event name, and the revenue of orders."""
    found = {
        row[0]: row[1:]
        for row in database.execute(_statements(None, "", "event_id").counts()).fetchall()
    }
    by_name = dict(zip(EVENT_NAMES, found[1][1:-1], strict=True))

    assert (found[1][0], found[1][-1]) == (3, 300)
    assert {name: count for name, count in by_name.items() if count} == {
        "page_view": 1, "purchase": 2
    }  # fmt: skip
    assert found[2][-1] == 0
    for left_out, figures in (("value_minor", len(EVENT_NAMES)), ("event_name", 0)):
        statement = _statements(None, "", "event_id", left_out).counts()
        assert len(database.execute(statement).fetchall()[0]) == 2 + figures


def test_aggregates_are_numbers(database: duckdb.DuckDBPyConnection) -> None:
    """Keys are texts or milliseconds, measures are numbers; revenue has its unit."""
    table = AggregateTable.model_validate(
        {
            "table": "sums", "keys": {"hour": {"column": "h", "unit": "s"}, "country": "c"},
            "measures": {"events": "n", "revenue": {"column": "r", "unit": "major"}},
        }
    )  # fmt: skip
    types = {"h": "INTEGER", "c": "VARCHAR", "n": "INTEGER", "r": "DECIMAL(9,2)"}
    source = Source("(SELECT 3600 AS h, 'DE' AS c, 4 AS n, 1.25::decimal(9,2) AS r)", "sums", types)

    statement, is_date = aggregate_statement(DUCKDB, source, "aggregates.0", table)

    assert database.execute(statement).fetchall() == [(3_600_000, "DE", Decimal(4), Decimal(125))]
    assert not is_date


@pytest.mark.parametrize(("type_name", "is_date"), [("DATE", True), ("TIMESTAMP", False)])
def test_days_are_milliseconds(
    database: duckdb.DuckDBPyConnection, type_name: str, *, is_date: bool
) -> None:
    """A day is the milliseconds of its begin, as a date or as a time."""
    table = AggregateTable.model_validate({"keys": {"day": "d"}, "measures": {"events": "n"}})
    source = Source(
        f"(SELECT '1970-01-03'::{type_name} AS d, 1 AS n)",
        "sums",
        {"d": type_name, "n": "INTEGER"},
    )

    statement, found = aggregate_statement(DUCKDB, source, "aggregates.0", table)

    assert database.execute(statement).fetchall() == [(2 * 86_400_000, Decimal(1))]
    assert found is is_date


def test_rejected_events(database: duckdb.DuckDBPyConnection) -> None:
    """Rejected ids of the run come once, in order; the minutes of stored ones are found."""
    columns = {"event_id": COLUMNS["event_id"], "reason": COLUMNS["event_name"]}
    statement = rejected_ids(DUCKDB, EVENTS, columns, "run-")

    assert database.execute(statement).fetchall() == [
        ("run-a", "purchase"), ("run-b", "purchase"), ("run-d", "page_view"),
    ]  # fmt: skip
    without_reason = rejected_ids(DUCKDB, EVENTS, {"event_id": COLUMNS["event_id"]}, "run-d")
    assert database.execute(without_reason).fetchall() == [("run-d", None)]
    columns = COLUMNS | {"event_time": Column(column="event_time", unit="ms")}
    minutes = Statements(DUCKDB, EVENTS, columns, until_ms=120_000).minutes_of(statement)
    assert database.execute(minutes).fetchall() == [(1,)]
    with pytest.raises(ResultUnfit, match=r"rejects.columns.reason: events has no column 'why'"):
        rejected_ids(DUCKDB, EVENTS, columns | {"reason": Column(column="why")}, "")
