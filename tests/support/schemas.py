"""Strict JSON schemas of what an API server knows, for kubeconform.

They come from the API server's OpenAPI document and from resource definitions, and refuse every
field that these do not name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clickstream_bench.control_plane import ControlPlane

__all__ = ["LOCATION", "write_schemas"]

LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""Where kubeconform finds a kind's schema, below the folder."""
_OPEN = "x-kubernetes-preserve-unknown-fields"
_EITHER = (
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
)


def write_schemas(plane: ControlPlane, definitions: Iterable[dict[str, Any]], folder: Path) -> None:
    """Write a schema for each kind of the API server's own and of the definitions."""
    paths = json.loads(plane.kubectl("get", "--raw", "/openapi/v3"))["paths"]
    for path in paths:
        if path == "api/v1" or path.startswith("apis/"):
            document = json.loads(plane.kubectl("get", "--raw", f"/openapi/v3/{path}"))
            _write_own(document.get("components", {}).get("schemas", {}), folder)
    for row in definitions:
        spec = row["spec"]
        for version in spec["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"], is_root=True)
            _write(folder, spec["names"]["kind"], spec["group"], version["name"], schema)


def _write_own(schemas: dict[str, Any], folder: Path) -> None:
    strict = {name: _strict(row) for name, row in schemas.items()}
    # Written as a number or as a text; the API server takes both.
    strict |= {name: {"type": ["string", "integer", "number"]} for name in _EITHER}
    for name, row in schemas.items():
        for kind in row.get("x-kubernetes-group-version-kind", []):
            if row.get("properties", {}).keys() >= {"apiVersion", "kind", "metadata"}:
                schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": strict}}
                _write(folder, kind["kind"], kind["group"], kind["version"], schema)


def _write(folder: Path, kind: str, group: str, version: str, schema: dict[str, Any]) -> None:
    # As kubeconform names them: the group's first part only.
    parts = [kind.lower(), group.partition(".")[0], version]
    path = folder / f"{'-'.join(part for part in parts if part)}.json"
    path.write_text(json.dumps(schema), encoding="utf-8")


def _strict(schema: dict[str, Any], *, is_root: bool = False) -> dict[str, Any]:
    """Return a schema that refuses fields which the given one does not name."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    found: dict[str, Any] = {
        key: value for key, value in schema.items() if not key.startswith("x-") and key != "default"
    }
    for key in ("properties", "additionalProperties", "items"):
        part = schema.get(key)
        if key == "properties" and isinstance(part, dict):
            found[key] = {name: _strict(row) for name, row in part.items()}
        elif isinstance(part, dict):
            found[key] = _strict(part)
    for key in ("allOf", "anyOf", "oneOf"):
        if key in schema and "properties" not in schema:
            found[key] = [_strict(row) for row in schema[key]]
    if is_root:
        texts = {name: {"type": "string"} for name in ("apiVersion", "kind")}
        found["properties"] = {**found["properties"], **texts, "metadata": {"type": "object"}}
    if "properties" in found and not schema.get(_OPEN):
        found.setdefault("additionalProperties", False)
    return found
