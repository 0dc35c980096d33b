"""The derived parts about the custom resource, from its definition.

Owns how a schema becomes tables.
"""

from __future__ import annotations

from typing import Any

from clickstream_contract.naming import SERVERS
from clickstream_contract.resource import resource_definition
from clickstream_contract.simulation import FIXED_FIELDS
from markdown_tables import Rows, table
from pydantic.alias_generators import to_camel

__all__ = ["columns", "fields_of", "rules"]

_FOLDED = {
    "spec.personas[].transitions": (
        "Weight of each next step, by the step before: [which there are](journey.md)."
    ),
    **dict.fromkeys(
        ("spec.effects.overlays[].transitions", "spec.experiments[].arms[].transitions"),
        "Multiplier of each next step, in permille, by the step before: "
        "[which there are](journey.md).",
    ),
}
"""Fields that have a table elsewhere."""


def _version() -> dict[str, Any]:
    found: dict[str, Any] = resource_definition()["spec"]["versions"][0]
    return found


def _schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _version()["schema"]["openAPIV3Schema"]["properties"][name]
    return found


def _walk(node: dict[str, Any], path: str) -> list[tuple[str, dict[str, Any], bool]]:
    """Return each field below with its path, and whether it must be given."""
    rows = []
    for name, child in node.get("properties", {}).items():
        own = f"{path}.{name}"
        rows.append((own, child, name in node.get("required", ())))
        if own in _FOLDED:
            continue
        rows += _walk(child, own)
        if child.get("type") == "array":
            rows += _walk(child["items"], f"{own}[]")
    return rows


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


def _bounds(node: dict[str, Any]) -> str:
    """Return what a value may be."""
    if "enum" in node:
        return ", ".join(f"`{one}`" for one in node["enum"])
    low, high = node.get("minimum"), node.get("maximum")
    found = [] if low is None and high is None else [_span(low, high)]
    for size, unit in (("Length", "characters"), ("Items", "entries"), ("Properties", "entries")):
        if f"max{size}" in node:
            found.append(f"{_span(node.get(f'min{size}', 0), node[f'max{size}'])} {unit}")
    if node.get("pattern") == SERVERS:
        found.append("up to 16 addresses, ports from 1 to 65535")
    elif "pattern" in node:
        found.append(f"`{node['pattern']}`")
    return ", ".join(found)


def _span(low: int | None, high: int | None) -> str:
    if high is None:
        return f"from {low:,}"
    return f"{low:,} to {high:,}"


def fields_of(name: str) -> str:
    """Return the table of the fields of ``spec`` or ``status``."""
    rows: Rows = []
    for path, node, is_required in _walk(_schema(name), name):
        default = f"`{_shown(node['default'])}`" if "default" in node else ""
        is_fixed = path.removeprefix("spec.") in map(to_camel, FIXED_FIELDS)
        meaning = _FOLDED.get(path) or node.get("description", "")
        meaning += " *Fixed in a run.*" if is_fixed else ""
        bounds = "" if path in _FOLDED else _bounds(node)
        must = "required" if is_required else default
        rows.append((f"`{path.removeprefix(name + '.')}`", node["type"], must, bounds, meaning))
    if name == "status":
        return table(("Field", "Type", "Meaning"), [(row[0], row[1], row[4]) for row in rows])
    return table(("Field", "Type", "Default", "Bounds", "Meaning"), rows)


def rules() -> str:
    """Return the table of the rules over several fields, with the API server's messages."""
    found = []
    for path, node, _ in [("spec", _schema("spec"), True), *_walk(_schema("spec"), "spec")]:
        asked = [*node.get("x-kubernetes-validations", ())]
        asked += node.get("items", {}).get("x-kubernetes-validations", ())
        messages = [rule["message"] for rule in asked]
        # The table of fields marks the fields that cannot change.
        found += [
            (f"`{path}`", text) for text in messages if "it cannot change in a run" not in text
        ]
    return table(("At", "What is asked"), found)


def columns() -> str:
    """Return the table of the columns that ``kubectl get`` prints."""
    rows = [
        (row["name"].upper(), row["description"], "yes" if row.get("priority") else "")
        for row in _version()["additionalPrinterColumns"]
    ]
    return table(("Column", "Meaning", "Only with `-o wide`"), rows)
