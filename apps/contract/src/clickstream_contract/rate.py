"""How much traffic, and when: the rate of a simulation.

Owns the fields of ``spec.rate``, their bounds and what contradicts what. It does not know
how a rate becomes moments.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from clickstream_contract.duration import format_duration
from clickstream_contract.parts import Duration, Part, as_tuple, member, refuse

__all__ = ["MAX_EVENTS_PER_SECOND", "Burst", "Curve", "OnOverload", "Rate", "Step"]

MAX_EVENTS_PER_SECOND = 1_000_000


class Curve(StrEnum):
    """How the rate changes over time."""

    CONSTANT = "Constant"
    DIURNAL = "Diurnal"
    WEEKLY = "Weekly"
    STEPS = "Steps"


class OnOverload(StrEnum):
    """What to do with events that could not be sent in time."""

    CATCH_UP = "CatchUp"
    SHED = "Shed"


class Step(Part):
    """One level of a stepped rate."""

    for_seconds: Annotated[Duration, Field(alias="for", description="How long it holds.")]
    multiplier_permille: Annotated[
        int, Field(ge=0, le=100_000, description="Against the rate given, in permille.")
    ]


class Burst(Part):
    """A stretch of time with more, or less, than usual."""

    at_seconds: Annotated[Duration, Field(alias="at", description="When, after the start.")]
    for_seconds: Annotated[Duration, Field(alias="for", description="How long.")]
    multiplier_permille: Annotated[
        int, Field(ge=0, le=100_000, description="Against the rate of the moment, in permille.")
    ]


class Rate(Part):
    """How much traffic, over all shards."""

    events_per_second: Annotated[
        int | None, Field(ge=1, le=MAX_EVENTS_PER_SECOND, description="Events per second.")
    ] = None
    events_per_minute: Annotated[
        int | None,
        Field(ge=1, le=60 * MAX_EVENTS_PER_SECOND, description="Instead, for a slow shop."),
    ] = None
    curve: Annotated[Curve, member(Curve), Field(description="How the rate changes over time.")] = (
        Curve.CONSTANT
    )
    steps: Annotated[
        tuple[Step, ...],
        BeforeValidator(as_tuple),
        Field(max_length=100, description="The levels of the curve Steps; the last one stays."),
    ] = ()
    bursts: Annotated[
        tuple[Burst, ...],
        BeforeValidator(as_tuple),
        Field(max_length=100, description="Stretches of time that differ; not overlapping."),
    ] = ()
    on_overload: Annotated[
        OnOverload,
        member(OnOverload),
        Field(description="Send late what could not be sent in time, or leave it out."),
    ] = OnOverload.CATCH_UP

    @property
    def per_second(self) -> float:
        """The rate in events per second."""
        if self.events_per_second is not None:
            return float(self.events_per_second)
        return (self.events_per_minute or 0) / 60

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if (self.events_per_second is None) == (self.events_per_minute is None):
            raise refuse("", None, "exactly one of eventsPerSecond and eventsPerMinute")
        if (self.curve is Curve.STEPS) != bool(self.steps):
            raise refuse("steps", len(self.steps), "at least one step with the curve Steps only")
        ordered = sorted(self.bursts, key=lambda burst: burst.at_seconds)
        for before, after in pairwise(ordered):
            if before.at_seconds + before.for_seconds > after.at_seconds:
                raise refuse(
                    "bursts", format_duration(after.at_seconds), "bursts that do not overlap"
                )
        return self
