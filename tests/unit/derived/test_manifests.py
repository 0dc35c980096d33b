"""The definition has bounds and meanings; topics and users are the contract's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import manifests
import pytest
import yaml
from clickstream_contract.access import GENERATOR, USERS
from clickstream_contract.resource import resource_definition
from clickstream_contract.simulation import SimulationSpec
from clickstream_contract.topics import TOPICS
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _part(name: str) -> dict[str, Any]:
    version = resource_definition()["spec"]["versions"][0]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][name]
    return found


def _nodes(node: dict[str, Any], path: str = "spec") -> list[tuple[str, dict[str, Any]]]:
    rows = [(path, node)]
    for name, child in node.get("properties", {}).items():
        rows += _nodes(child, f"{path}.{name}")
    if "items" in node:
        rows += _nodes(node["items"], f"{path}[]")
    return rows


def test_users_have_their_rights() -> None:
    """Each user is one resource, and only the generators' secret may be named by simulations."""
    rows = {row["metadata"]["name"]: row["spec"] for row in yaml.safe_load_all(manifests.users())}

    assert set(rows) == {user.name for user in USERS}
    assert [name for name, spec in rows.items() if "template" in spec] == [GENERATOR.name]
    assert {name: len(spec["authorization"]["acls"]) for name, spec in rows.items()} == {
        user.name: len(user.rights) for user in USERS
    }


def test_topics_keep_their_settings() -> None:
    """Strimzi makes the topics that a laptop has."""
    rows = {row["metadata"]["name"]: row["spec"] for row in yaml.safe_load_all(manifests.topics())}

    assert rows == {
        topic.name: {"partitions": topic.partitions, "config": dict(topic.settings)}
        for topic in TOPICS
    }


def test_everything_has_bounds() -> None:
    """Each text and list has a length, and each number that people write two bounds."""
    open_ended = [
        path
        for path, node in (*_nodes(_part("spec")), *_nodes(_part("status"), "status"))
        if (node["type"] == "string" and not {"enum", "maxLength", "format"} & node.keys())
        or (
            node["type"] == "integer"
            and not {"minimum", "maximum"} <= node.keys()
            and path.startswith("spec")
        )
        or (node["type"] == "array" and "maxItems" not in node)
    ]

    assert open_ended == []


def test_it_has_the_models_fields() -> None:
    """Each field of the specification is there with its meaning, and no other."""
    schema = _part("spec")

    assert set(schema["properties"]) == {
        field.alias or name for name, field in SimulationSpec.model_fields.items()
    }
    silent = [path for path, node in _nodes(schema) if not node.get("description")]
    assert [path for path in silent if not path.endswith("[]")] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "k8s" / "simulations").glob("*.yaml")), ids=lambda path: path.stem
)
def test_examples_name_only_fields_that_exist(path: Path) -> None:
    """No example has a field that an API server would drop or refuse."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))

    assert _unknown(document["spec"], _part("spec")) == []


def _unknown(value: object, schema: dict[str, Any], path: str = "spec") -> list[str]:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found = [f"{path}.{key}" for key in value if key not in known]
        for key in value.keys() & known.keys():
            found += _unknown(value[key], known[key], f"{path}.{key}")
        return found
    if isinstance(value, list):
        return [row for item in value for row in _unknown(item, schema["items"], f"{path}[]")]
    return []
