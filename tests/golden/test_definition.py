"""The committed definition of the resource is the contract's; ``--update-golden`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from clickstream_contract.access import GENERATOR, USERS
from clickstream_contract.resource import resource_definition
from clickstream_contract.simulation import SimulationSpec
from clickstream_contract.topics import TOPICS
from clickstream_operator.core.destination import CREDENTIALS_LABEL

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "k8s" / "definition.yaml"
TOPICS_FILE = ROOT / "k8s" / "kafka" / "topics.yaml"
USERS_FILE = ROOT / "k8s" / "kafka" / "users.yaml"
_SHARED = {"template": {"secret": {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}}}}
"""Simulations may name the generators' secret; Strimzi copies the label to it."""
_HEAD = "# Derived from the contract; `pytest tests/golden --update-golden` writes it.\n"


class _Plain(yaml.SafeDumper):
    """YAML without anchors: what is the same twice is written twice."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's signature
        """Say that nothing is shared."""
        return True


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


def test_the_committed_definition_is_the_contracts(request: pytest.FixtureRequest) -> None:
    """What people apply to a cluster is what the models say."""
    text = _HEAD + yaml.dump(resource_definition(), Dumper=_Plain, sort_keys=False, width=100)
    if request.config.getoption("--update-golden"):
        DEFINITION.write_text(text, encoding="utf-8")

    assert DEFINITION.read_text(encoding="utf-8") == text


def test_the_committed_topics_are_the_contracts(request: pytest.FixtureRequest) -> None:
    """What Strimzi is asked for is what the laptop creates."""
    rows = [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": "clickstream"}},
            # Without a number of replicas the cluster's own default holds.
            "spec": {"partitions": topic.partitions, "config": dict(topic.settings)},
        }
        for topic in TOPICS
    ]
    text = _HEAD + yaml.dump_all(rows, Dumper=_Plain, sort_keys=False, width=100)
    if request.config.getoption("--update-golden"):
        TOPICS_FILE.write_text(text, encoding="utf-8")

    assert TOPICS_FILE.read_text(encoding="utf-8") == text


def test_the_committed_users_are_the_contracts(request: pytest.FixtureRequest) -> None:
    """Strimzi lets each process do what the contract says, and no more."""
    rows = [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaUser",
            "metadata": {"name": user.name, "labels": {"strimzi.io/cluster": "clickstream"}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                **(_SHARED if user is GENERATOR else {}),
                "authorization": {
                    "type": "simple",
                    "acls": [
                        {
                            "type": "allow",
                            "resource": {
                                "type": right.kind,
                                "name": right.name,
                                "patternType": "prefix" if right.is_prefix else "literal",
                            },
                            "operations": list(right.operations),
                        }
                        for right in user.rights
                    ],
                },
            },
        }
        for user in USERS
    ]
    text = _HEAD + yaml.dump_all(rows, Dumper=_Plain, sort_keys=False, width=100)
    if request.config.getoption("--update-golden"):
        USERS_FILE.write_text(text, encoding="utf-8")

    assert USERS_FILE.read_text(encoding="utf-8") == text


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
