"""The built files and their paths in the repository: dashboards as JSON, and the rules.

They are in the chart, which cannot read files outside of its folder.
"""

from __future__ import annotations

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from clickstream_dashboards.integrity import integrity
from clickstream_dashboards.pipeline import pipeline
from clickstream_dashboards.rules import rule_file
from clickstream_dashboards.shop import shop
from clickstream_dashboards.simulations import simulations

__all__ = ["DASHBOARDS", "built_files", "dashboard_json"]

DASHBOARDS = {
    "shop": shop,
    "pipeline": pipeline,
    "simulations": simulations,
    "integrity": integrity,
}
"""The function that builds each dashboard, by file name."""


def dashboard_json(name: str) -> dict[str, Any]:
    """Return a dashboard in Grafana's format; panels are numbered in their order."""
    model = DASHBOARDS[name]().build()
    built: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(model))
    for number, panel in enumerate(built["panels"], start=1):
        panel["id"] = number
    return built


def built_files() -> dict[str, str]:
    """Return every built file, by its path in the repository."""
    files = {"helm/clickstream/rules/clickstream.yaml": rule_file()}
    for name in DASHBOARDS:
        text = json.dumps(dashboard_json(name), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        files[f"helm/clickstream/dashboards/{name}.json"] = text
    return files
