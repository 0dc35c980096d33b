"""Dashboards as Grafana reads them: their panels, and their queries with variables filled in.

Owns what Grafana does to a query before it sends it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "NAMES", "Target", "dashboard", "fill_promql", "panels", "targets"]

FOLDER = Path(__file__).parents[2] / "helm" / "clickstream" / "dashboards"
NAMES = ("shop", "pipeline", "simulations", "integrity")
_MATCHED = {"job": ".+", "instance": ".+"}


@dataclass(frozen=True)
class Target:
    """One query of one panel."""

    dashboard: str
    panel: str
    query: dict[str, Any]

    def __str__(self) -> str:
        """Say where it is."""
        return f"{self.dashboard} / {self.panel}"


def dashboard(name: str) -> dict[str, Any]:
    """Return a committed dashboard."""
    read: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return read


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that show something: all but rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(kind: str) -> list[Target]:
    """Return every query that has a field ``rawSql`` or ``expr``."""
    return [
        Target(name, panel["title"], query)
        for name in NAMES
        for panel in panels(dashboard(name))
        for query in panel["targets"]
        if kind in query
    ]


def fill_promql(expr: str, simulation: str = "tested") -> str:
    """Fill variables into PromQL as Grafana does, with everything chosen."""
    for name, value in {**_MATCHED, "simulation": f"({simulation})"}.items():
        expr = expr.replace(f"${name}", value)
    expr = expr.replace("$__rate_interval", "5m")
    if "$" in expr:
        raise ValueError(f"a variable is not known: {expr}")
    return expr
