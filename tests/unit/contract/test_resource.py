"""The resource definition: what the API server checks is what the models check."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.naming import DNS_LABEL, SERVERS
from clickstream_contract.personas import PERSONAS
from clickstream_contract.resource import resource_definition
from clickstream_contract.simulation import FIXED_FIELDS, SimulationSpec
from pydantic.alias_generators import to_camel

_FORBIDDEN = {"$ref", "$defs", "anyOf", "allOf", "title", "const", "exclusiveMinimum"}


def _version() -> dict[str, Any]:
    (version,) = resource_definition()["spec"]["versions"]
    assert isinstance(version, dict)
    return version


def _root() -> dict[str, Any]:
    root = _version()["schema"]["openAPIV3Schema"]
    assert isinstance(root, dict)
    return root


def _at(path: str) -> dict[str, Any]:
    """Return the schema at a path such as ``rate.steps.[].for``."""
    node = _root()["properties"]["spec"]
    for part in path.split(".") if path else ():
        node = node["items"] if part == "[]" else node["properties"][part]
    assert isinstance(node, dict)
    return node


def _rules(path: str) -> list[str]:
    return [row["rule"] for row in _at(path).get("x-kubernetes-validations", [])]


def _nodes(node: object) -> list[dict[str, Any]]:
    """Return the schema and all schemas in it."""
    if isinstance(node, list):
        return [row for part in node for row in _nodes(part)]
    if not isinstance(node, dict):
        return []
    return [node, *(row for part in node.values() for row in _nodes(part))]


def test_definition_has_its_names() -> None:
    """The resource is namespaced, and has its kind, plural and short name."""
    definition = resource_definition()

    assert definition["apiVersion"] == "apiextensions.k8s.io/v1"
    assert definition["kind"] == "CustomResourceDefinition"
    assert definition["metadata"]["name"] == "clickstreamsimulations.clickstream.dev"
    assert definition["spec"]["group"] == "clickstream.dev"
    assert definition["spec"]["scope"] == "Namespaced"
    assert definition["spec"]["names"] == {
        "kind": "ClickstreamSimulation",
        "listKind": "ClickstreamSimulationList",
        "plural": "clickstreamsimulations",
        "singular": "clickstreamsimulation",
        "shortNames": ["css"],
        "categories": ["clickstream"],
    }


def test_version_is_served_and_stored() -> None:
    """The one version is served and stored, with status and scale as subresources."""
    version = _version()

    assert (version["name"], version["served"], version["storage"]) == ("v1alpha1", True, True)
    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.workers.count",
            "statusReplicasPath": ".status.workers",
            "labelSelectorPath": ".status.selector",
        },
    }


def test_schema_is_structural() -> None:
    """No reference, null or title is left: Kubernetes takes only structural schemas."""
    for node in _nodes(_root()):
        assert not _FORBIDDEN & node.keys()
        assert node.get("type") != "null"
    assert _root()["required"] == ["spec"]


def test_spec_has_every_field() -> None:
    """The schema has the model's fields, by their names in YAML, and requires the same."""
    schema = SimulationSpec.model_json_schema(by_alias=True)

    assert list(_at("")["properties"]) == list(schema["properties"])
    assert _at("")["required"] == ["seed", "rate", "userMix"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("seed", {"type": "integer", "minimum": 0, "maximum": 2**53 - 1, "format": "int64"}),
        ("shards", {"type": "integer", "default": 16, "minimum": 1, "maximum": 1024,
                    "format": "int32"}),
        ("stopAfter.events", {"type": "integer", "minimum": 1, "maximum": 10**12,
                              "format": "int64"}),
        ("suspend", {"type": "boolean", "default": False}),
        ("rate.curve", {"type": "string", "default": "Constant",
                        "enum": ["Constant", "Diurnal", "Weekly", "Steps"]}),
        ("workers.count", {"type": "integer", "minimum": 1, "maximum": 1024, "format": "int32"}),
        ("kafka.clusterRef.name", {"type": "string", "maxLength": 63, "pattern": DNS_LABEL}),
        ("kafka.caSecretRef.name", {"type": "string", "maxLength": 253, "minLength": None}),
        ("kafka.bootstrapServers", {"type": "string", "maxLength": 1024, "pattern": SERVERS}),
    ],
)  # fmt: skip
def test_field_keeps_its_bounds(path: str, expected: dict[str, object]) -> None:
    """Type, default, bounds and values are the model's, in Kubernetes' words."""
    found = _at(path)

    assert found["description"]
    assert {key: found.get(key) for key in expected} == expected


def test_lists_have_sizes() -> None:
    """Sizes of texts and lists have the names that Kubernetes has for them."""
    assert (_at("userMix")["minItems"], _at("userMix")["maxItems"]) == (1, 50)
    assert (_at("personas.[].hourly")["minItems"], _at("personas.[].hourly")["maxItems"]) == (
        24,
        24,
    )
    assert _at("personas.[].name")["maxLength"] == 63
    assert "minLength" not in _at("personas.[].name")


def test_parts_have_defaults_without_null() -> None:
    """A part's default is a mapping without absent fields."""
    assert _at("kafka")["default"] == {}
    assert _at("devices")["default"] == {"mobile": 600, "desktop": 350, "tablet": 50}
    assert "default" not in _at("backfill")


@pytest.mark.parametrize("path", ["rate.steps.[].for", "rate.bursts.[].at", "stopAfter.duration"])
def test_durations_are_texts(path: str) -> None:
    """A duration is a text of a pattern, of at least one second."""
    assert _at(path)["type"] == "string"
    assert _at(path)["pattern"].startswith("^([0-9]{1,4}d)?")
    assert (_at(path)["minLength"], _at(path)["maxLength"]) == (2, 32)
    assert _rules(path) == ["self.matches('[1-9]')"]


@pytest.mark.parametrize("name", FIXED_FIELDS)
def test_fixed_field_cannot_change(name: str) -> None:
    """A field that holds for the whole run is compared with its old value."""
    name = to_camel(name)
    rule = f"has(self.{name}) == has(oldSelf.{name}) && "
    rule += f"(!has(self.{name}) || self.{name} == oldSelf.{name})"

    assert rule in _rules("")


def test_mix_names_known_personas() -> None:
    """A mix names a preset or a persona of the simulation's own."""
    (rule,) = [row for row in _rules("") if row.startswith("self.userMix.all")]

    assert all(f"'{name}'" in rule for name in PERSONAS)
    assert rule.endswith("self.personas.exists(own, own.name == row.persona))")
    assert "self.users >= self.shards" in _rules("")
    assert "self.personas.map(own, own.name) == oldSelf.personas.map(own, own.name)" in _rules("")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("rate", "has(self.eventsPerSecond) != has(self.eventsPerMinute)"),
        ("rate", "(self.curve == 'Steps') == (size(self.steps) > 0)"),
        ("stopAfter", "has(self.duration) != has(self.events)"),
        ("workers", "!(has(self.count) && has(self.max))"),
        ("kafka", "!(has(self.clusterRef) && has(self.bootstrapServers))"),
        ("userMix", "self.exists(row, row.weight > 0)"),
        ("countries", "self.exists(row, row.weight > 0)"),
        ("personas.[].hourly", "self.exists(weight, weight > 0)"),
        ("catalog", "self.categories <= self.products"),
        ("devices", "self.mobile + self.desktop + self.tablet > 0"),
        (
            "effects.overlays.[].faults",
            "self.lossPermille + self.latePermille + self.duplicatePermille <= 1000",
        ),
        (
            "faults",
            (
                "self.duplicatePermille + self.latePermille + self.corruptPermille + "
                "self.futurePermille + self.lossPermille <= 1000"
            ),
        ),
    ],
)
def test_contradiction_has_a_rule(path: str, rule: str) -> None:
    """What the models check in code, the API server checks in CEL, with a message."""
    assert rule in _rules(path)
    assert all(row["message"] for row in _at(path)["x-kubernetes-validations"])


def test_lists_are_maps_by_name() -> None:
    """Lists of named things are merged by their name; the others are replaced as a whole."""
    keys = {
        path: _at(path)["x-kubernetes-list-map-keys"]
        for path in ("userMix", "countries", "personas")
    }

    assert keys == {"userMix": ["persona"], "countries": ["code"], "personas": ["name"]}
    assert {_at(path)["x-kubernetes-list-type"] for path in keys} == {"map"}
    for path in ("rate.steps", "rate.bursts", "personas.[].hourly"):
        assert _at(path)["x-kubernetes-list-type"] == "atomic"


def test_names_are_listed() -> None:
    """Countries and presets are one of a list."""
    assert _at("countries.[].code")["enum"] == list(COUNTRIES)
    assert _at("personas.[].basedOn")["enum"] == list(PERSONAS)


def test_transitions_name_legal_steps() -> None:
    """Only legal steps are fields of the transitions, each with a weight."""
    transitions = _at("personas.[].transitions")

    assert "additionalProperties" not in transitions
    assert "maxProperties" not in transitions
    assert next(iter(transitions["properties"])) == "session_start"
    assert "start" not in transitions["properties"]
    assert transitions["properties"]["search"] == {
        "type": "object",
        "description": "After search.",
        "properties": {
            name: {
                "type": "integer",
                "format": "int32",
                "minimum": 0,
                "maximum": 1_000_000,
                "description": f"To {name}.",
            }
            for name in ("search", "view_item_list", "exit")
        },
    }


def test_name_is_a_label() -> None:
    """A resource's name is a DNS label that begins with a letter, as a Service's name must."""
    (rule,) = _root()["x-kubernetes-validations"]

    assert rule["rule"] == (
        "size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z][^.]*$')"
    )


def test_status_has_conditions() -> None:
    """The status has conditions by type, and the last revisions."""
    status = _root()["properties"]["status"]["properties"]

    assert status["conditions"]["x-kubernetes-list-map-keys"] == ["type"]
    assert status["conditions"]["maxItems"] == 8
    assert status["conditions"]["items"]["required"] == [
        "type", "status", "lastTransitionTime", "reason", "message",
    ]  # fmt: skip
    assert status["revisions"]["maxItems"] == 20
    assert status["workers"] == {
        "type": "integer",
        "format": "int64",
        "minimum": 0,
        "description": "Desired number of workers.",
    }


def test_columns_show_the_traffic() -> None:
    """``kubectl get`` shows readiness, rates, workers and age; the rest only with ``-o wide``."""
    columns = _version()["additionalPrinterColumns"]

    assert [row["name"] for row in columns if "priority" not in row] == [
        "Ready", "Rate", "Achieved", "Workers", "Verified", "Age",
    ]  # fmt: skip
    assert [row["name"] for row in columns if row.get("priority") == 1] == [
        "Reason", "Delivered", "Seed",
    ]  # fmt: skip
    assert columns[0]["jsonPath"] == '.status.conditions[?(@.type=="Ready")].status'
