"""The speed of the dashboards' panels.

Measures the SQL of every panel, with all values selected, over the whole time range.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from clickstream_dashboards.build import DASHBOARDS, dashboard_json
from clickstream_dashboards.filled import every_choice, fill_sql

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

__all__ = ["panel_milliseconds"]

_ROUNDS = 3


def panel_milliseconds(connection: Connection) -> dict[str, float]:
    """Return the time of each panel's slowest query, the best of three as with an open dashboard.

    Args:
        connection: A connection of the reader.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT min(hour), max(hour) + interval '1 hour' FROM mart.sessions_hour")
        since, until = cursor.fetchone() or (None, None)

        def ask(query: str) -> list[tuple[Any, ...]]:
            cursor.execute(query)
            return cursor.fetchall()

        chosen = every_choice(map(dashboard_json, DASHBOARDS), ask)
        return {
            f"{name} / {panel['title']}": max(
                _milliseconds(cursor, target["rawSql"], chosen, since, until)
                for target in panel["targets"]
            )
            for name in DASHBOARDS
            for panel in dashboard_json(name)["panels"]
            if panel["type"] != "row" and "rawSql" in panel["targets"][0]
        }


def _milliseconds(
    cursor: Cursor, text: str, chosen: dict[str, Any], since: datetime, until: datetime
) -> float:
    query = fill_sql(text, chosen, since, until)
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        cursor.execute(query)
        cursor.fetchall()
        best = min(best, 1000 * (time.perf_counter() - began))
    return best
