"""The rate of a simulation: how much traffic, and when.

Owns the fields of ``spec.rate``, their bounds and their consistency.
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
    """What happens to events that could not be sent in time."""

    CATCH_UP = "CatchUp"
    SHED = "Shed"


class Step(Part):
    """One level of a stepped rate."""

    for_seconds: Annotated[Duration, Field(alias="for", description="Duration of the step.")]
    multiplier_permille: Annotated[
        int, Field(ge=0, le=100_000, description="Relative to the given rate, in permille.")
    ]


class Burst(Part):
    """A period with more or less traffic."""

    at_seconds: Annotated[
        Duration, Field(alias="at", description="When it begins, after the start.")
    ]
    for_seconds: Annotated[Duration, Field(alias="for", description="Duration of the burst.")]
    multiplier_permille: Annotated[
        int, Field(ge=0, le=100_000, description="Relative to the current rate, in permille.")
    ]


class Rate(Part):
    """The rate of events over all shards."""

    events_per_second: Annotated[
        int | None, Field(ge=1, le=MAX_EVENTS_PER_SECOND, description="Events per second.")
    ] = None
    events_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            le=60 * MAX_EVENTS_PER_SECOND,
            description="Events per minute instead, for a slow shop.",
        ),
    ] = None
    curve: Annotated[Curve, member(Curve), Field(description="How the rate changes over time.")] = (
        Curve.CONSTANT
    )
    steps: Annotated[
        tuple[Step, ...],
        BeforeValidator(as_tuple),
        Field(max_length=100, description="The levels of the curve Steps; the last one continues."),
    ] = ()
    bursts: Annotated[
        tuple[Burst, ...],
        BeforeValidator(as_tuple),
        Field(max_length=100, description="Periods with another rate; they must not overlap."),
    ] = ()
    on_overload: Annotated[
        OnOverload,
        member(OnOverload),
        Field(description="Send overdue events late (CatchUp), or leave them out (Shed)."),
    ] = OnOverload.CATCH_UP

    @property
    def per_second(self) -> float:
        """The rate in events per second."""
        if self.events_per_second is not None:
            return float(self.events_per_second)
        return (self.events_per_minute or 0) / 60

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
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
