"""A simulation as a document: YAML in, one simulation or one clear error out.

Owns how the text of a ``ClickstreamSimulation`` is read and written, and the wording of what
is wrong with it. It does not know the meaning of any field.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.naming import SERVERS
from clickstream_contract.personas import PERSONAS, Persona
from clickstream_contract.simulation import Simulation, SimulationSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from clickstream_contract.simulation import PersonaDefinition

__all__ = [
    "API_VERSION",
    "EFFECTIVE_FROM",
    "KIND",
    "RESUMED_AT",
    "dump_simulation",
    "parse_simulation",
    "resolve_personas",
    "simulation_from_resource",
]

API_VERSION = "clickstream.dev/v1alpha1"
KIND = "ClickstreamSimulation"
EFFECTIVE_FROM = "clickstream.dev/effective-from"
"""Annotation: from which moment on a change of the specification holds, for every worker."""
RESUMED_AT = "clickstream.dev/resumed-at"
"""Annotation: when a suspended simulation went on; what was due until then is left out."""
_MAX_BYTES = 262_144
_MAX_ALIASES = 64
_YAML_HINT = "YAML reads NO, no, off, on and yes as true or false: write the text in quotes"
_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}


class _Loader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice, and a bomb of aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > _MAX_ALIASES:
                raise SimulationInvalid("document", "aliases", f"at most {_MAX_ALIASES} aliases")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  PyYAML's signature
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise SimulationInvalid(
                    f"document, line {key.start_mark.line + 1}", "a key", "it must be a text"
                )
            if key.tag == "tag:yaml.org,2002:bool":
                raise SimulationInvalid(
                    f"document, line {key.start_mark.line + 1}", key.value, f"a text; {_YAML_HINT}"
                )
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise SimulationInvalid(
                    f"document, line {key.start_mark.line + 1}", key.value, "each key once"
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def parse_simulation(text: str) -> Simulation:
    """Read a simulation from YAML.

    Raises:
        SimulationInvalid: With the path, the value and what is allowed there.
    """
    if len(text.encode(errors="replace")) > _MAX_BYTES:
        raise SimulationInvalid(
            "document", f"{len(text)} characters", f"at most {_MAX_BYTES} bytes"
        )
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"document, line {mark.line + 1}" if mark else "document"
        problem = getattr(error, "problem", None) or "cannot be read"
        raise SimulationInvalid(where, problem, f"one YAML document of kind {KIND}") from None
    while len(documents) > 1 and documents[-1] is None:
        documents.pop()  # the text ends with a separator
    if len(documents) != 1 or not isinstance(documents[0], dict):
        found = f"{len(documents)} documents" if len(documents) != 1 else documents[0]
        raise SimulationInvalid("document", found, f"one YAML document of kind {KIND}")
    return simulation_from_resource(documents[0])


def simulation_from_resource(resource: Mapping[str, Any]) -> Simulation:
    """Read a simulation from a resource, as YAML or the Kubernetes API gives it.

    Raises:
        SimulationInvalid: With the path, the value and what is allowed there.
    """
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if resource.get(key) != wanted:
            raise SimulationInvalid(key, resource.get(key), f"it must be {wanted}")
    unknown = [key for key in resource if key not in _TOP]
    if unknown:
        raise SimulationInvalid(
            str(unknown[0]), "unknown field", "one of " + ", ".join(sorted(_TOP))
        )
    metadata = resource.get("metadata")
    if not isinstance(metadata, dict):
        raise SimulationInvalid("metadata", metadata, "it must hold at least a name")
    if "spec" not in resource:
        raise SimulationInvalid("spec", None, "it must be there")
    labels = metadata.get("labels") or {}
    if not isinstance(labels, dict):
        raise SimulationInvalid("metadata.labels", labels, "it must be a mapping")
    # YAML reads 12:30 as a number and 2026-01-01 as a date: names and labels are texts.
    content = {
        "name": metadata.get("name"),
        "namespace": metadata.get("namespace"),
        "spec": resource["spec"],
        "labels": {str(key): str(value) for key, value in labels.items()},
    }
    if annotations := metadata.get("annotations"):
        content["effectiveFromSeconds"] = _moment(annotations, EFFECTIVE_FROM)
        content["resumedAtSeconds"] = _moment(annotations, RESUMED_AT)
    try:
        simulation = Simulation.model_validate(content)
    except ValidationError as error:
        # A misspelt field says more than the field that is missing because of it.
        details = sorted(
            error.errors(include_url=False), key=lambda row: row["type"] != "extra_forbidden"
        )
        raise _invalid(details[0], content) from None
    for name, persona in resolve_personas(simulation.spec).items():
        _check_ends(name, persona)
    return simulation


def _moment(annotations: object, name: str) -> float | None:
    """Read an annotation that says when, in Unix seconds."""
    if not isinstance(annotations, dict):
        raise SimulationInvalid("metadata.annotations", annotations, "it must be a mapping")
    value = annotations.get(name)
    if value is None:
        return None
    try:
        # YAML may have read the time already.
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise SimulationInvalid(
            f"metadata.annotations.{name}",
            value,
            "a time with its zone, such as 2026-11-27T08:00:00Z",
        )
    return moment.timestamp()


def dump_simulation(simulation: Simulation) -> str:
    """Write a simulation as YAML that :func:`parse_simulation` reads back."""
    spec = simulation.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    metadata: dict[str, Any] = {"name": simulation.name}
    if simulation.namespace is not None:
        metadata["namespace"] = simulation.namespace
    if simulation.labels:
        metadata["labels"] = simulation.labels
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def resolve_personas(spec: SimulationSpec) -> dict[str, Persona]:
    """Return all personas that the simulation can name: presets, and its own."""
    own = {definition.name: _resolved(definition) for definition in spec.personas}
    return PERSONAS | own


def _resolved(definition: PersonaDefinition) -> Persona:
    preset = PERSONAS[definition.based_on]
    transitions = {
        source: targets | definition.transitions.get(source, {})
        for source, targets in preset.transitions.items()
    }
    persona = replace(preset, name=definition.name, transitions=transitions)
    if definition.think_median_milliseconds is not None:
        persona = replace(persona, think_median_seconds=definition.think_median_milliseconds / 1000)
    if definition.think_sigma_permille is not None:
        persona = replace(persona, think_sigma=definition.think_sigma_permille / 1000)
    for name in ("return_permille", "price_sense_permille", "weekend_permille", "hourly"):
        value = getattr(definition, name)
        if value is not None:
            persona = replace(persona, **{name: value})
    return persona


def _check_ends(name: str, persona: Persona) -> None:
    """Refuse a persona some of whose sessions could never end."""
    ends = {
        source
        for source, targets in persona.transitions.items()
        # Without any step that is possible the visitor leaves.
        if targets.get("exit", 0) or not any(targets.values())
    }
    grown = True
    while grown:
        more = {
            source
            for source, targets in persona.transitions.items()
            if source not in ends and any(targets.get(target, 0) for target in ends)
        }
        grown = bool(more)
        ends |= more
    stuck = [source for source in persona.transitions if source not in ends]
    if stuck:
        raise SimulationInvalid(
            f"spec.personas, {name}.transitions.{stuck[0]}",
            persona.transitions[stuck[0]],
            "from every step there must be a way to the exit",
        )


def _invalid(details: ErrorDetails, content: object) -> SimulationInvalid:
    """Word one of pydantic's errors."""
    place = tuple(part for part in details["loc"] if not _is_tag(part))
    path = _path(place)
    kind, context = details["type"], details.get("ctx", {})
    value: object = _value_at(content, place)
    if kind == "refused":
        inner = context["path"]
        path = f"{path}.{inner}" if inner and path else path or inner
        return SimulationInvalid(path, context["value"], context["allowed"])
    if kind == "extra_forbidden":
        known = _known_fields(place[:-1])
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        return SimulationInvalid(path, "unknown field", f"{hint}known fields: {', '.join(known)}")
    allowed = _allowed(kind, context)
    if kind == "string_type" and isinstance(value, bool):
        allowed += f"; {_YAML_HINT}"
    return SimulationInvalid(path, value, allowed)


def _allowed(kind: str, context: Mapping[str, Any]) -> str:
    """Say what may stand there, in words."""
    if kind == "missing":
        return "it must be there"
    texts = {
        "greater_than_equal": "it must be at least {ge}",
        "less_than_equal": "it must be at most {le}",
        "int_type": "it must be a whole number",
        "bool_type": "it must be true or false",
        "string_type": "it must be a text",
        "string_too_long": "it must have at most {max_length} characters",
        "string_pattern_mismatch": "it must match {pattern}",
        "too_short": "it must have at least {min_length} entries",
        "too_long": "it must have at most {max_length} entries",
        "tuple_type": "it must be a list",
        "dict_type": "it must be a mapping",
        "model_type": "it must be a mapping",
        "model_attributes_type": "it must be a mapping",
    }
    if kind == "string_pattern_mismatch" and context["pattern"] == SERVERS:
        return "up to 16 addresses host:port, separated by commas, with ports from 1 to 65535"
    text = texts.get(kind, "it must be as documented")
    return text.format(**context)


def _path(place: tuple[int | str, ...]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    path = text.removeprefix(".")
    return f"metadata.{path}" if path.startswith(("name", "labels")) else path


def _is_tag(part: int | str) -> bool:
    """Say whether pydantic put the part in to tell which kind of value it tried."""
    return isinstance(part, str) and bool(re.search(r"[\[\](]|^function-", part))


def _value_at(content: object, place: tuple[int | str, ...]) -> object:
    value = content
    for part in place:
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _known_fields(place: tuple[int | str, ...]) -> list[str]:
    """List the fields of the part at the place, from the models' own schema."""
    schema = Simulation.model_json_schema(by_alias=True)
    node: dict[str, Any] = schema
    for part in place:
        node = _follow(node, schema)
        node = node["items"] if isinstance(part, int) else node["properties"][part]
    return list(_follow(node, schema).get("properties", {}))


def _follow(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference or an optional part stands for."""
    for option in (*node.get("anyOf", []), *node.get("allOf", [])):
        if option.get("type") != "null":
            return _follow(option, schema)
    if "$ref" in node:
        found: dict[str, Any] = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
        return found
    return node
