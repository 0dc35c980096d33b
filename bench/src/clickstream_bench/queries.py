"""The speed of every view and of every dashboard query.

Measures an existing database as a reader. The second of two runs counts, like the refresh of an
open dashboard.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

from psycopg2 import errors, sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from psycopg2.extensions import connection as Connection
    from psycopg2.sql import Composable

__all__ = ["filled", "time_dashboards", "time_views"]

_PAGE_ROWS = 10_000
_GIVE_UP_MILLISECONDS = 60_000
_INTERVAL = "5 minutes"
# The macros of Grafana's PostgreSQL data source:
# https://grafana.com/docs/grafana/latest/datasources/postgres/#macros
_TIME_FILTER = re.compile(r"\$__timeFilter\(([^)]*)\)")


def time_views(connection: Connection) -> dict[str, float]:
    """Return the milliseconds of each view, whole or its first 10,000 rows.

    Args:
        connection: A connection of a reader.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_schema, table_name FROM information_schema.views"
            " WHERE table_schema IN ('raw', 'mart', 'ops') ORDER BY 1, 2"
        )
        views = cursor.fetchall()
    return {
        f"{schema}.{view}": _milliseconds(
            connection,
            sql.SQL("SELECT * FROM {} LIMIT {}").format(
                sql.Identifier(schema, view), sql.Literal(_PAGE_ROWS)
            ),
        )
        for schema, view in views
    }


def time_dashboards(
    connection: Connection, folder: Path, since: datetime, until: datetime
) -> dict[str, float]:
    """Return the milliseconds of each query of the dashboards, by dashboard and panel.

    Args:
        connection: A connection of a reader.
        folder: Dashboards as Grafana's JSON; every variable selects all values.
        since: Start of the time range.
        until: End of the time range.
    """
    taken: dict[str, float] = {}
    for file in sorted(folder.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        for title, query in _queries(dashboard.get("panels", [])):
            place = f"{file.stem}: {title}"
            name = place if place not in taken else f"{place} ({len(taken)})"
            taken[name] = _milliseconds(connection, sql.SQL(filled(query, since, until)))
    return taken


def _queries(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for panel in panels:
        yield from _queries(panel.get("panels", []))
        for target in panel.get("targets", []):
            if target.get("rawSql"):
                yield panel.get("title", "?"), target["rawSql"]


def filled(query: str, since: datetime, until: datetime) -> str:
    """Return a query with Grafana's range, interval and all values of each variable filled in."""
    bounds = [f"'{moment.isoformat()}'" for moment in (since, until)]
    query = _TIME_FILTER.sub(rf"\1 BETWEEN {bounds[0]} AND {bounds[1]}", query)
    query = query.replace("$__timeFrom()", bounds[0]).replace("$__timeTo()", bounds[1])
    query = query.replace("$__interval", _INTERVAL)
    query = query.replace("${interval:sqlstring}", "'1h'")
    for name, values in {
        "simulation": "SELECT DISTINCT simulation FROM ops.runs",
        "country": "SELECT country FROM mart.dim_country",
        "device": "SELECT device FROM mart.dim_device",
    }.items():
        query = query.replace(f"${{{name}:sqlstring}}", values)
    return query


def _milliseconds(connection: Connection, query: Composable) -> float:
    """Return the time of a query's second run, in milliseconds; cancel it after a minute."""
    taken = 0.0
    for _ in range(2):
        with connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = %s", (_GIVE_UP_MILLISECONDS,))
            began = time.perf_counter()
            try:
                cursor.execute(query)
                cursor.fetchall()
            except errors.QueryCanceled:
                connection.rollback()
                return float(_GIVE_UP_MILLISECONDS)
            taken = 1000 * (time.perf_counter() - began)
    return taken
