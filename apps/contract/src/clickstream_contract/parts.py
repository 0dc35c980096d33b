"""Building blocks of the simulation's models.

Owns the base class of the models, durations, shares, and weights, and the errors of rules
that concern several fields.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from clickstream_contract.duration import DURATION_PATTERN, duration_seconds, format_duration
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import EXIT, is_legal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

__all__ = [
    "Duration",
    "NameReference",
    "Part",
    "Permille",
    "Weight",
    "as_tuple",
    "member",
    "refuse",
    "refuse_illegal_steps",
]

_DNS_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"


def refuse(path: str, value: object, allowed: str) -> PydanticCustomError:
    """Return the error of a rule that concerns several fields.

    Args:
        path: The field, relative to the rule's model; may be empty.
        value: Its value.
        allowed: The allowed values.
    """
    return PydanticCustomError(
        "refused", "{allowed}", {"path": path, "value": value, "allowed": allowed}
    )


def _read_duration(value: object) -> object:
    if isinstance(value, str):
        try:
            return duration_seconds(value)
        except ValueError:
            pass
    raise refuse("", value, "a duration such as 90s, 10m or 1h30m")


Duration = Annotated[
    int,
    BeforeValidator(
        _read_duration,
        json_schema_input_type=Annotated[str, Field(pattern=DURATION_PATTERN, max_length=32)],
    ),
    PlainSerializer(format_duration, return_type=str),
]
Permille = Annotated[int, Field(ge=0, le=1_000)]
Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class Part(BaseModel):
    """A part of the resource: without unknown fields, immutable, and strictly typed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        populate_by_name=False,
        hide_input_in_errors=True,
    )


class NameReference(Part):
    """A reference to an object in the same namespace."""

    name: Annotated[str, Field(pattern=_DNS_NAME, max_length=253, description="Its name.")]


def member(allowed: Iterable[StrEnum]) -> BeforeValidator:
    """Return a validator that reads one of an enum's members from text; strict models need it."""
    members = {one.value: one for one in allowed}

    def read(value: object) -> object:
        try:
            return members[str(value)]
        except KeyError:
            raise refuse("", value, f"one of {', '.join(members)}") from None

    return BeforeValidator(read)


def refuse_illegal_steps(transitions: Mapping[str, Mapping[str, int]]) -> None:
    """Raise an error if a step of the transitions is not in the journey."""
    for source, targets in transitions.items():
        for target in targets:
            if not is_legal(source, target):
                steps = [name for name in (*EVENT_NAMES, EXIT) if is_legal(source, name)]
                allowed = ", ".join(steps) if steps else "a step that an event names"
                raise refuse(f"transitions.{source}", target, f"one of {allowed}")


def as_tuple(value: object) -> object:
    """Return a YAML list as a tuple."""
    return tuple(value) if isinstance(value, list) else value
