"""The SQL of panels as the database gets it: with values for variables and macros.

It does what Grafana and its PostgreSQL source do before they send a query.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = ["every_choice", "fill_sql"]

_POINTS = 500
"""The number of points in a panel."""


def fill_sql(
    text: str, chosen: Mapping[str, Sequence[str]], since: datetime, until: datetime
) -> str:
    """Return the statement that Grafana sends.

    Args:
        text: The query of a panel.
        chosen: The chosen values of each variable.
        since: The start of the dashboard's time range.
        until: The end of the dashboard's time range.

    Raises:
        KeyError: The query has a variable without a chosen value.
        ValueError: A variable is not quoted, or a macro is unknown.
    """
    first, last = (f"'{at.isoformat(timespec='milliseconds')}'" for at in (since, until))
    point = max(1, round((until - since).total_seconds() / _POINTS))
    filled = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN {first} AND {last}", text)
    filled = filled.replace("$__timeFrom()", first).replace("$__timeTo()", last)
    filled = filled.replace("$__interval", f"{point}s")
    if "$" in re.sub(r"\$\{\w+:sqlstring\}", "", filled):
        raise ValueError(f"a variable is not quoted, or not known: {text}")
    return _with_choices(filled, chosen)


def every_choice(
    dashboards: Iterable[Mapping[str, Any]], ask: Callable[[str], Iterable[Sequence[str]]]
) -> dict[str, list[str]]:
    """Return all values of each variable that the database has; a query may use earlier variables.

    Args:
        dashboards: The dashboards as JSON.
        ask: Returns the rows of a query.
    """
    chosen = {"interval": ["1h"]}
    for board in dashboards:
        for row in board["templating"]["list"]:
            if row["type"] == "query" and "postgres" in row["datasource"]["uid"]:
                rows = ask(_with_choices(row["query"], chosen))
                chosen[row["name"]] = [values[-1] for values in rows]
    return chosen


def _with_choices(text: str, chosen: Mapping[str, Sequence[str]]) -> str:
    def quoted(found: re.Match[str]) -> str:
        return ",".join("'" + value.replace("'", "''") + "'" for value in chosen[found[1]])

    return re.sub(r"\$\{(\w+):sqlstring\}", quoted, text)
