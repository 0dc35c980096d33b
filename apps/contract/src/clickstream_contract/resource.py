"""The custom resource definition of ``ClickstreamSimulation``, from the simulation's models.

Owns the structural schema, derived from
:class:`~clickstream_contract.simulation.SimulationSpec`, the CEL rules for everything that a schema
cannot express, the status, and the columns of ``kubectl get``. The API server rejects the same
simulations as the parser, except overlapping bursts or incidents, and sessions that can never end:
CEL cannot find these.

Format: https://kubernetes.io/docs/reference/kubernetes-api/extend-resources/custom-resource-definition-v1/
and https://kubernetes.io/docs/reference/using-api/cel/.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.alias_generators import to_camel

from clickstream_contract.countries import COUNTRIES, LOCALES
from clickstream_contract.currencies import CURRENCIES
from clickstream_contract.document import API_VERSION, KIND
from clickstream_contract.effects import (
    BROWSERS,
    CHANNEL_NAMES,
    MOST_PERMILLE,
    SYSTEMS,
    WEEKDAYS,
)
from clickstream_contract.events import DEVICES, EVENT_NAMES
from clickstream_contract.experiments import CONTROL
from clickstream_contract.journey import EXIT, TRANSITIONS
from clickstream_contract.output import INTERNAL, Encoding, Form
from clickstream_contract.personas import PERSONAS
from clickstream_contract.simulation import FIXED_FIELDS, SimulationSpec
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS

__all__ = ["resource_definition"]

_GROUP, _VERSION = API_VERSION.split("/")
_PLURAL = "clickstreamsimulations"
_SHORT_NAME = "css"
_INT32_MAX = 2**31 - 1
_KEPT = ("type", "description", "default", "enum", "minimum", "maximum", "pattern")
_SIZES = {"string": "Length", "array": "Items", "object": "Properties"}
"""Kubernetes' names for the size of each type; pydantic says length for lists and mappings too."""

Schema = dict[str, Any]


def resource_definition() -> Schema:
    """Return the ``CustomResourceDefinition`` for the API server."""
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
        "description": "Users of an online shop: how many, of which kinds, and when they come.",
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
                "message": "metadata.name: at most 63 of a-z, 0-9 and -, beginning with a letter",
            }
        ],
    }


def _spec() -> Schema:
    """Return the schema of ``spec``, with the checks that the models do in code."""
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
    """Return JSON Schema as a structural schema: without references, null and titles."""
    if "$ref" in node:
        kept: Schema = {key: node[key] for key in ("description", "default") if key in node}
        if isinstance(kept.get("default"), dict):
            kept["default"] = {key: row for key, row in kept["default"].items() if row is not None}
        return _structural(named[node["$ref"].rsplit("/", 1)[-1]], named) | kept
    if "anyOf" in node:
        option = next(option for option in node["anyOf"] if option.get("type") != "null")
        kept = {key: node[key] for key in node if key not in {"anyOf", "default"}}
        return _structural(option | kept, named)
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
    """Return the size bounds of a text, list or mapping, by their names in Kubernetes."""
    return {
        bound + _SIZES[node["type"]]: node[bound + size]
        for bound in ("min", "max")
        for size in _SIZES.values()
        if bound + size in node
    }


def _fixed(name: str) -> tuple[str, str]:
    """Return the rule that a field of ``spec`` never changes."""
    name = to_camel(name)
    rule = f"has(self.{name}) == has(oldSelf.{name}) && "
    rule += f"(!has(self.{name}) || self.{name} == oldSelf.{name})"
    return rule, f"{name}: it cannot change in a run; create another simulation instead"


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def _transitions(most: int) -> Schema:
    """Return the schema of transitions up to a number; an illegal step is an unknown field."""
    weight = {"type": "integer", "format": "int32", "minimum": 0, "maximum": most}
    steps: dict[str, Schema] = {}
    for row in TRANSITIONS:
        if row.source in EVENT_NAMES and row.target in (*EVENT_NAMES, EXIT):
            found = steps.setdefault(
                row.source,
                {"type": "object", "description": f"After {row.source}.", "properties": {}},
            )
            found["properties"] |= {row.target: _described(weight, f"To {row.target}.")}
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
_UNIQUE = ("self.all(row, self.exists_one(one, one.name == row.name))", "each name once")
_ENUM_OF_PERSONAS = json.dumps(list(PERSONAS)).replace('"', "'")


def _at_most_all(*faults: str) -> tuple[str, str]:
    """Return the rule that an event has one fault at most."""
    total = " + ".join(f"self.{name}Permille" for name in faults)
    return f"{total} <= 1000", "shares that add up to 1000 permille at most"


_OUTPUT_RULES = [
    (
        f"!self.topic.startsWith('{INTERNAL}') && !self.ledgerTopic.startsWith('{INTERNAL}')",
        f"topic and ledgerTopic: names with {INTERNAL} are Kafka's own",
    ),
    (
        (
            f"!(self.topic in ['{LEDGER.name}', '{SHARDS.name}']) && "
            f"!(self.ledgerTopic in [self.topic, '{EVENTS.name}', '{SHARDS.name}'])"
        ),
        "topic and ledgerTopic: two topics, each without another task",
    ),
    (
        f"(self.topic == '{EVENTS.name}') == (self.ledgerTopic == '{LEDGER.name}')",
        "topic and ledgerTopic: both the default, or both others: the stream compares the two",
    ),
    (
        (
            f"(self.form == '{Form.NATIVE}' && self.encoding == '{Encoding.JSON}') || "
            f"self.topic != '{EVENTS.name}'"
        ),
        f"encoding and form: only {Encoding.JSON} and {Form.NATIVE} in the stream's topic",
    ),
    (
        f"self.form == '{Form.NATIVE}' || self.encoding == '{Encoding.JSON}'",
        f"encoding: {Encoding.JSON} with a form other than {Form.NATIVE}",
    ),
    (
        f"!has(self.registry) || self.encoding != '{Encoding.JSON}'",
        f"registry: not with encoding {Encoding.JSON}, which has no schema",
    ),
    (
        f"has(self.registry) || self.encoding != '{Encoding.JSON_SCHEMA}'",
        f"encoding: {Encoding.JSON_SCHEMA} needs registry",
    ),
]

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
            *(
                (
                    (
                        f"self.{rows}.all(row, row.who.personas.all(name, name in "
                        f"{_ENUM_OF_PERSONAS} || self.personas.exists(own, own.name == name)))"
                    ),
                    f"{path}: who: personas: presets or some of spec.personas",
                )
                for path, rows in (
                    ("effects", "effects.overlays"),
                    ("experiments", "experiments"),
                    ("incidents", "incidents"),
                )
            ),
            (
                "self.personas.map(own, own.name) == oldSelf.personas.map(own, own.name)",
                "personas: a run cannot add or remove personas",
            ),
            (
                (
                    "!has(self.verification) || has(self.verification.mapping) || "
                    f"!has(self.output) || self.output.topic == '{EVENTS.name}'"
                ),
                "verification: mapping: with another output, name the tables of your pipeline",
            ),
        ]
    },
    ("rate",): {
        "rules": [
            _one_of("eventsPerSecond", "eventsPerMinute"),
            (
                "(self.curve == 'Steps') == (size(self.steps) > 0)",
                "steps: at least one step with the curve Steps, and none with another curve",
            ),
        ]
    },
    ("rate", "steps"): {"x-kubernetes-list-type": "atomic"},
    ("rate", "bursts"): {"x-kubernetes-list-type": "atomic"},
    ("rate", "steps", "[]", "for"): _DURATION,
    ("rate", "bursts", "[]", "for"): _DURATION,
    ("rate", "bursts", "[]", "at"): _DURATION,
    ("stopAfter", "duration"): _DURATION,
    ("verification", "every"): {
        "minLength": 2,
        "rules": [
            (
                "self.matches('[1-9][0-9]*[mhd]|[1-9][0-9]{2,}s|[6-9][0-9]s')",
                "a duration of at least one minute, such as 90s, 10m or 1h",
            )
        ],
    },
    ("verification",): {
        "rules": [
            (
                "!has(self.mapping) || has(self.database)",
                "database: with a mapping, name the database",
            )
        ]
    },
    ("verification", "mapping"): {"rules": [_one_of("inline", "configMapRef")]},
    ("stopAfter",): {"rules": [_one_of("duration", "events")]},
    ("workers",): {"rules": [_not_both("count", "max")]},
    ("output",): {"rules": _OUTPUT_RULES},
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
    ("personas", "[]", "transitions"): _transitions(1_000_000),
    ("personas", "[]", "hourly"): {
        "x-kubernetes-list-type": "atomic",
        "rules": [("self.exists(weight, weight > 0)", "at least one hour above 0")],
    },
    ("effects", "overlays"): {
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
    },
    ("experiments",): {"x-kubernetes-list-type": "atomic", "rules": [_UNIQUE]},
    ("experiments", "[]", "arms"): {
        "x-kubernetes-list-type": "atomic",
        "rules": [(f"self[0].name == '{CONTROL}'", f"the first arm is {CONTROL}"), _UNIQUE],
    },
    ("experiments", "[]", "at"): _DURATION,
    ("experiments", "[]", "for"): _DURATION,
    ("experiments", "[]", "arms", "[]", "transitions"): _transitions(MOST_PERMILLE),
    ("incidents",): {"x-kubernetes-list-type": "atomic"},
    ("incidents", "[]", "at"): _DURATION,
    ("incidents", "[]", "for"): _DURATION,
    **{
        (*place, "[]", "who", name, "[]"): {"enum": list(allowed)}
        for place in (("effects", "overlays"), ("experiments",), ("incidents",))
        for name, allowed in (
            ("devices", DEVICES),
            ("os", SYSTEMS),
            ("browsers", BROWSERS),
            ("countries", COUNTRIES),
            ("channels", CHANNEL_NAMES),
        )
    },
    ("effects", "overlays", "[]", "when", "weekdays", "[]"): {"enum": list(WEEKDAYS)},
    ("effects", "overlays", "[]", "when", "at"): _DURATION,
    ("effects", "overlays", "[]", "when", "for"): _DURATION,
    ("effects", "overlays", "[]", "transitions"): _transitions(MOST_PERMILLE),
    ("effects", "overlays", "[]", "faults"): {"rules": [_at_most_all("loss", "late", "duplicate")]},
    ("catalog",): {
        "rules": [("self.categories <= self.products", "no more categories than products")]
    },
    ("catalog", "currency"): {"enum": list(CURRENCIES)},
    ("catalog", "locale"): {"enum": list(LOCALES)},
    ("devices",): {
        "rules": [("self.mobile + self.desktop + self.tablet > 0", "at least one weight above 0")]
    },
    ("faults",): {"rules": [_at_most_all("duplicate", "late", "corrupt", "future", "loss")]},
}
"""By path in ``spec``: the checks that the models do in code, as schema and as CEL rules.

A value of ``None`` removes the entry of the models' schema.
"""

_TIME = {"type": "string", "format": "date-time"}
_COUNT = {"type": "integer", "format": "int64", "minimum": 0}

_CONDITION: Schema = {
    "type": "object",
    "required": ["type", "status", "lastTransitionTime", "reason", "message"],
    "properties": {
        "type": _described(
            {"type": "string", "maxLength": 64}, "Ready, Progressing, Degraded, Stored or Verified."
        ),
        "status": _described(
            {"type": "string", "enum": ["True", "False", "Unknown"]}, "Whether the condition holds."
        ),
        "observedGeneration": _described(_COUNT, "Generation of the described specification."),
        "lastTransitionTime": _described(_TIME, "When the status last changed."),
        "reason": _described({"type": "string", "maxLength": 64}, "Why, in one word."),
        "message": _described({"type": "string", "maxLength": 1024}, "Why, in a sentence."),
    },
}
_REVISION: Schema = {
    "type": "object",
    "required": ["generation", "effectiveFrom", "spec"],
    "properties": {
        "generation": _described(_COUNT, "metadata.generation of the specification."),
        "effectiveFrom": _described(_TIME, "When it takes effect."),
        "spec": {
            "type": "string",
            "maxLength": 262_144,
            "description": "The specification, as JSON.",
        },
    },
}
_VERIFICATION: Schema = {
    "type": "object",
    "description": "The last verification that has ended, and when the current one began.",
    "required": ["startedAt"],
    "properties": {
        "startedAt": _described(_TIME, "When the last verification began."),
        "finishedAt": _described(_TIME, "When a verification last ended."),
        "events": _described(_COUNT, "Events that the run had sent, in what was verified."),
        "rows": _described(_COUNT, "Rows that the table had."),
        "minutes": _described(_COUNT, "Minutes that were verified."),
        "until": _described(_TIME, "End of what was verified; absent for the whole run."),
        "differences": _described(_COUNT, "Differences found."),
        "firstDifference": _described(_TIME, "The first minute with a difference."),
    },
}
_STATUS: Schema = {
    "type": "object",
    "description": "The state that the operator observed.",
    "properties": {
        "observedGeneration": _described(
            _COUNT, "Generation of the specification that this status describes."
        ),
        "conditions": {
            "type": "array",
            "description": "Ready, Progressing and Degraded; with another output Stored; "
            "with spec.verification Verified.",
            "maxItems": 8,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": _CONDITION,
        },
        "startTime": _described(_TIME, "When the live part of the run begins."),
        "resumeTime": _described(_TIME, "When it was last resumed after a suspension."),
        "workers": _described(_COUNT, "Desired number of workers."),
        "readyWorkers": _described(_COUNT, "Workers that are ready."),
        "selector": _described(
            {"type": "string", "maxLength": 256}, "Label selector of the workers' pods."
        ),
        "targetEventsPerSecond": _described(_COUNT, "Current target rate, over all workers."),
        "achievedEventsPerSecond": _described(_COUNT, "Rate acknowledged in the last seconds."),
        "deliveredEvents": _described(_COUNT, "Records acknowledged since the run began."),
        "verification": _VERIFICATION,
        "revisions": {
            "type": "array",
            "description": "The specifications and when each took effect; the newest is last.",
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
    _column("Ready", "string", f"{_READY}.status", "Whether the simulation runs as specified."),
    _column("Rate", "integer", ".status.targetEventsPerSecond", "Target events per second."),
    _column(
        "Achieved", "integer", ".status.achievedEventsPerSecond", "Events acknowledged per second."
    ),
    _column("Workers", "integer", ".status.workers", "Pods that carry the shards."),
    _column(
        "Verified",
        "string",
        '.status.conditions[?(@.type=="Verified")].status',
        "Whether the tables agree with the ledger.",
    ),
    _column("Reason", "string", f"{_READY}.reason", "Why it is ready or not.", 1),
    _column("Delivered", "integer", ".status.deliveredEvents", "Records acknowledged.", 1),
    _column("Seed", "integer", ".spec.seed", "The same seed, the same events.", 1),
    _column("Age", "date", ".metadata.creationTimestamp", "Time since its creation."),
]
