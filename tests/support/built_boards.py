"""Dashboards as they are built now, row by row.

Owns which panels are under which row.
"""

from __future__ import annotations

from typing import Any

from clickstream_dashboards.build import dashboard_json

__all__ = ["asked", "rows_of"]


def rows_of(name: str) -> dict[str, list[str]]:
    """Return the titles of a dashboard's panels by their row, both in order."""
    rows: dict[str, list[str]] = {}
    titles: list[str] = []
    for panel in dashboard_json(name)["panels"]:
        if panel["type"] == "row":
            titles = rows.setdefault(panel["title"], [])
        else:
            titles.append(panel["title"])
    return rows


def asked(name: str, field: str) -> list[tuple[str, str]]:
    """Return panel and query of a dashboard: those with ``rawSql``, or with ``expr``."""
    panels: list[dict[str, Any]] = dashboard_json(name)["panels"]
    return [
        (panel["title"], query[field])
        for panel in panels
        for query in panel.get("targets", ())
        if field in query
    ]
