"""SQL of panels as the database gets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from clickstream_dashboards.filled import every_choice, fill_sql
from hypothesis import given
from hypothesis import strategies as st

_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
_UNTIL = _SINCE + timedelta(hours=1)
_FROM, _TO = "'2026-01-01T00:00:00.000+00:00'", "'2026-01-01T01:00:00.000+00:00'"


def _filled(text: str, **chosen: list[str]) -> str:
    return fill_sql(text, chosen, _SINCE, _UNTIL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        ("hour > $__timeFrom()", f"hour > {_FROM}"),
        ("hour < $__timeTo()", f"hour < {_TO}"),
        ("$__timeFilter(hour)", f"hour BETWEEN {_FROM} AND {_TO}"),
        ("$__timeFilter(t.hour)", f"t.hour BETWEEN {_FROM} AND {_TO}"),
        ("'$__interval'::interval", "'7s'::interval"),
    ],
)
def test_macros_are_filled(text: str, expected: str) -> None:
    """Each macro becomes what Grafana's PostgreSQL source makes of it."""
    assert _filled(text) == expected


@pytest.mark.parametrize(
    ("seconds", "point"), [(0, "1s"), (400, "1s"), (1_000, "2s"), (86_400, "173s")]
)
def test_points_fit_the_panel(seconds: int, point: str) -> None:
    """A range has five hundred points, none shorter than a second."""
    until = _SINCE + timedelta(seconds=seconds)

    assert fill_sql("$__interval", {}, _SINCE, until) == point


def test_values_are_quoted() -> None:
    """Each chosen value is a separate text, with doubled quotes."""
    text = "IN (${country:sqlstring}) OR IN (${device:sqlstring})"

    assert _filled(text, country=["DE", "O'Brien"], device=["mobile"]) == (
        "IN ('DE','O''Brien') OR IN ('mobile')"
    )


@given(st.text(max_size=20))
def test_no_value_leaves_its_quotes(value: str) -> None:
    """Whatever a value holds, it is one quoted text, dollars included."""
    filled = _filled("${x:sqlstring}", x=[value])

    assert filled[0] == filled[-1] == "'"
    assert filled[1:-1].replace("''", "") == value.replace("'", "")


@pytest.mark.parametrize(
    "text", ["IN ($simulation)", "IN (${simulation})", "IN (${simulation:csv})", "$__unixEpoch()"]
)
def test_unquoted_variables_are_refused(text: str) -> None:
    """A variable without quotes, or a macro that is not known, is an error."""
    with pytest.raises(ValueError, match="not quoted, or not known"):
        _filled(text, simulation=["shop"])


def test_missing_choice_is_an_error() -> None:
    """A variable that nothing is picked for is named."""
    with pytest.raises(KeyError, match="simulation"):
        _filled("${simulation:sqlstring}")


def test_choices_follow_each_other() -> None:
    """A variable has every value of its query's last column, given all values of earlier ones."""
    source = {"uid": "${postgres_datasource}"}
    queries = {"a": "SELECT a", "b": "SELECT b WHERE a IN (${a:sqlstring})"}
    board = {
        "templating": {
            "list": [
                {"name": name, "type": "query", "datasource": source, "query": query}
                for name, query in queries.items()
            ]
            + [{"name": "c", "type": "interval"}]
        }
    }
    asked: list[str] = []

    def ask(query: str) -> list[tuple[str, str]]:
        asked.append(query)
        return [("shown", "x"), ("shown", "it's")]

    assert every_choice([board], ask) == {
        "interval": ["1h"], "a": ["x", "it's"], "b": ["x", "it's"],
    }  # fmt: skip
    assert asked == ["SELECT a", "SELECT b WHERE a IN ('x','it''s')"]
