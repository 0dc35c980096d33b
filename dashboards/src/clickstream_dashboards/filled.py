"""SQL of panels as the database gets it: variables and macros filled in.

Owns what Grafana and its PostgreSQL source do to a query before they send it. It sends nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

__all__ = ["fill_sql"]

_POINTS = 500
"""Points that a panel has room for."""


def fill_sql(
    text: str, chosen: Mapping[str, Sequence[str]], since: datetime, until: datetime
) -> str:
    """Return the statement that is sent.

    Args:
        text: The query of a panel.
        chosen: Of each variable, the values that are picked.
        since: Where the dashboard's time range begins.
        until: Where it ends.

    Raises:
        KeyError: The query names a variable that nothing is picked for.
        ValueError: A variable enters it without quotes, or a macro is not known.
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
