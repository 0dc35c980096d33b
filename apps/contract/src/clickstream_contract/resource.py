"""The custom resource definition of ``ClickstreamSimulation``, from the simulation's models.

Owns what Kubernetes is told of a simulation: the structural schema derived from
:class:`~clickstream_contract.simulation.SimulationSpec`, the rules in CEL for what a schema
cannot say, the status and what ``kubectl get`` shows. The API server refuses at apply time what
the laptop's parser refuses, but for bursts that overlap and sessions that can never end, which
CEL cannot work out. It does not know what an operator does with it.

Format: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
and https://kubernetes.io/docs/reference/using-api/cel/.
"""

from __future__ import annotations

import json
from typing import Any

from clickstream_contract.countries import COUNTRIES
from clickstream_contract.document import API_VERSION, KIND
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, TRANSITIONS
from clickstream_contract.personas import PERSONAS
from clickstream_contract.simulation import FIXED_FIELDS, SimulationSpec

__all__ = ["resource_definition"]

_GROUP, _VERSION = API_VERSION.split("/")
_PLURAL = "clickstreamsimulations"
_SHORT_NAME = "css"
_INT32_MAX = 2**31 - 1
_KEPT = ("type", "description", "default", "enum", "minimum", "maximum", "pattern")
_SIZES = {"string": "Length", "array": "Items", "object": "Properties"}
"""What Kubernetes calls the size of each type; pydantic says length of lists and mappings too."""

Schema = dict[str, Any]


def resource_definition() -> Schema:
    """Return the ``CustomResourceDefinition`` as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{_PLURAL}.{_GROUP}"},
        "spec": {
            "group": _GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": _PLURAL,
                "singular": KIND.lower(),
                "shortNames": [_SHORT_NAME],
                "categories": ["clickstream"],
            },
            "versions": [
                {
                    "name": _VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.workers.count",
                            "statusReplicasPath": ".status.workers",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": _COLUMNS,
                }
            ],
        },
    }


def _root() -> Schema:
    return {
        "type": "object",
        "description": "Visitors of an online shop, and how many of which kind come when.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec(),
            "status": _STATUS,
        },
        "x-kubernetes-validations": [
            {
                "rule": (
                    "size(self.metadata.name) <= 63 && self.metadata.name.matches('^[a-z][^.]*$')"
                ),
                "message": "metadata.name: at most 63 of a-z, 0-9 and -, and a letter first",
            }
        ],
    }


def _spec() -> Schema:
    """Derive the schema of ``spec`` and add what the models check in code."""
    source = SimulationSpec.model_json_schema(by_alias=True)
    schema = _structural(source, source["$defs"])
    for path, extra in _EXTRAS.items():
        node = schema
        for part in path:
            node = node["items"] if part == "[]" else node["properties"][part]
        for key, value in extra.items():
            if key == "rules":
                node["x-kubernetes-validations"] = [
                    {"rule": rule, "message": message} for rule, message in value
                ]
            elif value is None:
                node.pop(key, None)
            else:
                node[key] = value
    return schema


def _structural(node: Schema, named: Schema) -> Schema:
    """Rewrite JSON Schema as Kubernetes wants it: nothing by reference, no null, no titles."""
    if "$ref" in node:
        told: Schema = {key: node[key] for key in ("description", "default") if key in node}
        if isinstance(told.get("default"), dict):
            told["default"] = {key: row for key, row in told["default"].items() if row is not None}
        return _structural(named[node["$ref"].rsplit("/", 1)[-1]], named) | told
    if "anyOf" in node:
        option = next(option for option in node["anyOf"] if option.get("type") != "null")
        told = {key: node[key] for key in node if key not in {"anyOf", "default"}}
        return _structural(option | told, named)
    schema = {key: node[key] for key in _KEPT if node.get(key) is not None}
    schema |= _size(node)
    if schema.get("type") == "integer":
        schema["format"] = "int32" if node.get("maximum", 2**63) <= _INT32_MAX else "int64"
    if "properties" in node:
        schema["properties"] = {
            key: _structural(child, named) for key, child in node["properties"].items()
        }
        if node.get("required"):
            schema["required"] = node["required"]
    if isinstance(node.get("additionalProperties"), dict):
        schema["additionalProperties"] = _structural(node["additionalProperties"], named)
    if "items" in node:
        schema["items"] = _structural(node["items"], named)
    return schema


def _size(node: Schema) -> Schema:
    """Return how long a text, list or mapping may be, under the name that its type has for it."""
    return {
        bound + _SIZES[node["type"]]: node[bound + size]
        for bound in ("min", "max")
        for size in _SIZES.values()
        if bound + size in node
    }


def _fixed(name: str) -> tuple[str, str]:
    """Return the rule that a field of ``spec`` stays as it is for the resource's life."""
    rule = f"has(self.{name}) == has(oldSelf.{name}) && "
    rule += f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
    return rule, f"{name}: it stays as it is in a run; make another simulation for another one"


def _told(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def _transitions() -> Schema:
    """Name each step that may follow each; anything else is an unknown field."""
    weight = {"type": "integer", "format": "int32", "minimum": 0, "maximum": 1_000_000}
    steps: dict[str, Schema] = {}
    for row in TRANSITIONS:
        if row.source in EVENT_NAMES and row.target in (*EVENT_NAMES, EXIT):
            found = steps.setdefault(
                row.source,
                {"type": "object", "description": f"After {row.source}.", "properties": {}},
            )
            found["properties"] |= {row.target: _told(weight, f"To {row.target}.")}
    return {"additionalProperties": None, "properties": steps, "maxProperties": None}


def _one_of(first: str, second: str) -> tuple[str, str]:
    return (
        f"has(self.{first}) != has(self.{second})",
        f"exactly one of {first} and {second}",
    )


def _not_both(first: str, second: str) -> tuple[str, str]:
    return f"!(has(self.{first}) && has(self.{second}))", f"one of {first} and {second}, not both"


_DURATION: Schema = {
    "minLength": 2,
    "rules": [("self.matches('[1-9]')", "a duration of at least one second, such as 90s or 10m")],
}
_ENUM_OF_PERSONAS = json.dumps(list(PERSONAS)).replace('"', "'")
_SUM_OF_FAULTS = " + ".join(
    f"self.{name}Permille" for name in ("duplicate", "late", "corrupt", "future", "loss")
)

_EXTRAS: dict[tuple[str, ...], Schema] = {
    (): {
        "rules": [
            *map(_fixed, FIXED_FIELDS),
            ("self.users >= self.shards", "users: at least one user per shard"),
            (
                (
                    f"self.userMix.all(row, row.persona in {_ENUM_OF_PERSONAS} || "
                    "self.personas.exists(own, own.name == row.persona))"
                ),
                "userMix: persona: a preset or one of spec.personas; the presets are "
                + ", ".join(PERSONAS),
            ),
            (
                "self.personas.map(own, own.name) == oldSelf.personas.map(own, own.name)",
                "personas: in a run they can change, but neither come nor go",
            ),
        ]
    },
    ("rate",): {
        "rules": [
            _one_of("eventsPerSecond", "eventsPerMinute"),
            (
                "(self.curve == 'Steps') == (size(self.steps) > 0)",
                "steps: at least one step with the curve Steps, and with no other",
            ),
        ]
    },
    ("rate", "steps"): {"x-kubernetes-list-type": "atomic"},
    ("rate", "bursts"): {"x-kubernetes-list-type": "atomic"},
    ("rate", "steps", "[]", "for"): _DURATION,
    ("rate", "bursts", "[]", "for"): _DURATION,
    ("rate", "bursts", "[]", "at"): _DURATION,
    ("stopAfter", "duration"): _DURATION,
    ("stopAfter",): {"rules": [_one_of("duration", "events")]},
    ("workers",): {"rules": [_not_both("count", "max")]},
    ("kafka",): {"rules": [_not_both("clusterRef", "bootstrapServers")]},
    ("userMix",): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["persona"],
        "rules": [("self.exists(row, row.weight > 0)", "at least one weight above 0")],
    },
    ("countries",): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["code"],
        "rules": [("self.exists(row, row.weight > 0)", "at least one weight above 0")],
    },
    ("countries", "[]", "code"): {"enum": list(COUNTRIES)},
    ("personas",): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    },
    ("personas", "[]", "basedOn"): {"enum": list(PERSONAS)},
    ("personas", "[]", "transitions"): _transitions(),
    ("personas", "[]", "hourly"): {
        "x-kubernetes-list-type": "atomic",
        "rules": [("self.exists(weight, weight > 0)", "at least one hour above 0")],
    },
    ("catalog",): {
        "rules": [("self.categories <= self.products", "no more categories than products")]
    },
    ("devices",): {
        "rules": [("self.mobile + self.desktop + self.tablet > 0", "at least one weight above 0")]
    },
    ("faults",): {
        "rules": [(f"{_SUM_OF_FAULTS} <= 1000", "shares that add up to 1000 permille at most")]
    },
}
"""By path in ``spec``: what the models check in code, as schema and as rules in CEL.

What is ``None`` is taken away from what the models say.
"""

_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "format": "int64", "minimum": 0}

_CONDITION: Schema = {
    "type": "object",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": _told({"type": "string", "maxLength": 64}, "Ready, Progressing or Degraded."),
        "status": _told(
            {"type": "string", "enum": ["True", "False", "Unknown"]}, "Whether it holds."
        ),
        "observedGeneration": _told(_COUNT, "The specification that it is about."),
        "lastTransitionTime": _told(_TIME, "Since when it is so."),
        "reason": _told({"type": "string", "maxLength": 64}, "Why, in one word."),
        "message": _told({"type": "string", "maxLength": 1024}, "Why, in a sentence."),
    },
}
_REVISION: Schema = {
    "type": "object",
    "required": ["generation", "effectiveFrom", "spec"],
    "properties": {
        "generation": _told(_COUNT, "metadata.generation of the specification."),
        "effectiveFrom": _told(_TIME, "From which moment on it holds."),
        "spec": {
            "type": "string",
            "maxLength": 262_144,
            "description": "The specification, as JSON.",
        },
    },
}
_STATUS: Schema = {
    "type": "object",
    "description": "What the operator sees.",
    "properties": {
        "observedGeneration": _told(_COUNT, "The specification that this status is about."),
        "conditions": {
            "type": "array",
            "description": "Ready, Progressing and Degraded.",
            "maxItems": 8,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": _CONDITION,
        },
        "startTime": _told(_TIME, "When the live part of the run begins."),
        "resumeTime": _told(_TIME, "When it went on after it was suspended."),
        "workers": _told(_COUNT, "Workers wanted."),
        "readyWorkers": _told(_COUNT, "Workers that are ready."),
        "selector": _told(
            {"type": "string", "maxLength": 256}, "Label selector of the workers' pods."
        ),
        "targetEventsPerSecond": _told(_COUNT, "Rate wanted at present, over all workers."),
        "achievedEventsPerSecond": _told(_COUNT, "Rate acknowledged in the last seconds."),
        "deliveredEvents": _told(_COUNT, "Records acknowledged since the run began."),
        "revisions": {
            "type": "array",
            "description": "Which specification held from when; the newest last.",
            "maxItems": 20,
            "x-kubernetes-list-type": "atomic",
            "items": _REVISION,
        },
    },
}


def _column(name: str, kind: str, path: str, text: str, priority: int = 0) -> Schema:
    row = {"name": name, "type": kind, "jsonPath": path, "description": text}
    return {**row, "priority": priority} if priority else row


_READY = '.status.conditions[?(@.type=="Ready")]'
_COLUMNS = [
    _column("Ready", "string", f"{_READY}.status", "Whether the shop gets its traffic."),
    _column("Rate", "integer", ".status.targetEventsPerSecond", "Events per second wanted."),
    _column("Achieved", "integer", ".status.achievedEventsPerSecond", "Events per second sent."),
    _column("Workers", "integer", ".status.workers", "Pods that carry the shards."),
    _column("Reason", "string", f"{_READY}.reason", "Why it is ready or not.", 1),
    _column("Delivered", "integer", ".status.deliveredEvents", "Records acknowledged.", 1),
    _column("Seed", "integer", ".spec.seed", "The same seed, the same visitors.", 1),
    _column("Age", "date", ".metadata.creationTimestamp", "Since it was made."),
]
