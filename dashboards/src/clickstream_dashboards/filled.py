"""The SQL of panels as the database gets it: with values for variables and macros.

It does what Grafana and its PostgreSQL source do before they send a query.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["fill_sql"]

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

    def quoted(found: re.Match[str]) -> str:
        return ",".join("'" + value.replace("'", "''") + "'" for value in chosen[found[1]])

    first, last = (f"'{at.isoformat(timespec='milliseconds')}'" for at in (since, until))
    point = max(1, round((until - since).total_seconds() / _POINTS))
    filled = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN {first} AND {last}", text)
    filled = filled.replace("$__timeFrom()", first).replace("$__timeTo()", last)
    filled = filled.replace("$__interval", f"{point}s")
    if "$" in re.sub(r"\$\{\w+:sqlstring\}", "", filled):
        raise ValueError(f"a variable is not quoted, or not known: {text}")
    return re.sub(r"\$\{(\w+):sqlstring\}", quoted, filled)
