"""The derived parts of a chart's README, in the form of helm-docs.

Owns how a chart's metadata and values become tables. What a value means is written in the chart's
``values.schema.json``; the default is that of ``values.yaml``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml
from markdown_tables import table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["PASSED_ON", "chart_parts", "values_rows"]

PASSED_ON = "A value of the operator's own chart."
"""What is said of a value that the schema does not describe: another chart's."""

_SHAPES = {bool: "bool", int: "int", float: "float", str: "string", list: "list", dict: "object"}


def chart_parts(chart: Path) -> dict[str, Callable[[], str]]:
    """Return each derived part of the chart's README, by its name."""
    about: dict[str, Any] = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
    return {"chart": lambda: _head(about), "values": lambda: _values(chart)}


def _head(about: dict[str, Any]) -> str:
    facts = [("Chart", about["version"]), ("Kubernetes", f"`{about['kubeVersion']}`")]
    if "appVersion" in about:
        facts.insert(1, ("Images", about["appVersion"]))
    facts += [
        ("Home", about["home"]),
        ("Source", ", ".join(about["sources"])),
        (
            "Maintainers",
            ", ".join(f"[{row['name']}]({row['url']})" for row in about["maintainers"]),
        ),
        ("Licence", about["annotations"]["artifacthub.io/license"]),
    ]
    parts = [f"{about['description']}.", table(("", ""), facts)]
    rows = [
        (row["name"], row["version"], row["repository"]) for row in about.get("dependencies", [])
    ]
    if rows:
        parts.append(table(("Requires", "Version", "Repository"), rows))
    return "\n\n".join(parts)


def _values(chart: Path) -> str:
    schema: dict[str, Any] = json.loads((chart / "values.schema.json").read_text("utf-8"))
    values: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text("utf-8"))
    rows = [
        (key, shape, f"`{json.dumps(default)}`", text or PASSED_ON)
        for key, shape, default, text in sorted(values_rows(values, schema), key=lambda row: row[0])
    ]
    return table(("Key", "Type", "Default", "Description"), rows)


def values_rows(
    values: dict[str, Any], schema: dict[str, Any]
) -> Iterator[tuple[str, str, Any, str]]:
    """Yield key, type, default and description of each value that a user sets."""
    shared = schema.get("definitions", {})

    def whole(node: dict[str, Any]) -> dict[str, Any]:
        """Return a schema with what it refers to; the schema's description has precedence."""
        merged: dict[str, Any] = {}
        for part in [*node.get("allOf", []), *([node] if "$ref" in node else [])]:
            merged |= whole(shared[part["$ref"].rsplit("/", 1)[1]])
        properties = {**merged.get("properties", {}), **node.get("properties", {})}
        return {**merged, **node, "properties": properties}

    def walk(key: str, value: object, node: dict[str, Any]) -> Iterator[tuple[str, str, Any, str]]:
        node = whole(node)
        inner = node["properties"]
        # Requests and limits are set together.
        if isinstance(value, dict) and value and inner and not set(value) <= {"requests", "limits"}:
            for name, one in value.items():
                yield from walk(f"{key}.{name}", one, inner.get(name, {}))
        else:
            yield key, _SHAPES[type(value)], value, node.get("description", "")

    for name, value in values.items():
        yield from walk(name, value, schema["properties"].get(name, {}))
