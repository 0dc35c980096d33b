"""Experiments: arms by user, each an overlay on the behaviour of its users.

Owns the fields of ``spec.experiments``, their bounds, the overlay of each arm, and the text with
which a session's first event says in which arms it is.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from clickstream_contract.effects import Overlay, ThinkPermille, Transitions, When, Who
from clickstream_contract.parts import Duration, Part, as_tuple, refuse, refuse_illegal_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CONTROL", "MOST_ARMS", "MOST_EXPERIMENTS", "Arm", "Experiment", "exposure_texts"]

CONTROL = "control"
"""The name of each experiment's first arm, with which the others are compared."""
MOST_EXPERIMENTS = 4
MOST_ARMS = 5


class Arm(Part):
    """An arm: its share of the users, and the multipliers on their behaviour."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[a-z]([-a-z0-9]{0,18}[a-z0-9])?$",
            max_length=20,
            description=f"Its name; the first arm is {CONTROL}.",
        ),
    ]
    weight: Annotated[
        int, Field(ge=1, le=1_000, description="Share relative to the other weights.")
    ] = 1
    transitions: Transitions = Field(default_factory=dict)
    think_permille: ThinkPermille = 1_000

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        refuse_illegal_steps(self.transitions)
        return self


class Experiment(Part):
    """Users divided into arms by a hash of the experiment's name and the user."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$", max_length=40, description="Its name."),
    ]
    arms: Annotated[
        tuple[Arm, ...],
        BeforeValidator(as_tuple),
        Field(min_length=2, max_length=MOST_ARMS, description="The arms; control is the first."),
    ]
    who: Annotated[Who, Field(description="Whose sessions take part.")] = Who()
    at_seconds: Annotated[
        Duration | None,
        Field(alias="at", description="From this time after the start; always if absent."),
    ] = None
    for_seconds: Annotated[
        Duration | None,
        Field(alias="for", description="For this long after that, or after the start."),
    ] = None

    @property
    def overlays(self) -> tuple[Overlay, ...]:
        """The overlay of each arm, for sessions of the arm's users; without their share."""
        who = self.who.model_copy(update={"users_permille": 1_000})
        when = When().model_copy(
            update={"at_seconds": self.at_seconds, "for_seconds": self.for_seconds}
        )
        plain = Overlay(name=self.name)
        return tuple(
            plain.model_copy(
                update={
                    "who": who,
                    "when": when,
                    "transitions": arm.transitions,
                    "think_permille": arm.think_permille,
                }
            )
            for arm in self.arms
        )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        names = [arm.name for arm in self.arms]
        if names[0] != CONTROL:
            raise refuse("arms[0].name", names[0], f"the first arm is {CONTROL}")
        if len(set(names)) != len(names):
            raise refuse("arms", names, "each name once")
        return self


def exposure_texts(experiments: Sequence[Experiment]) -> list[str]:
    """Return the field ``experiments`` of a session, for each combination of arms.

    The place of a combination is a number with one digit for each experiment, the first one
    leading: 0 for a session that does not take part, or the arm's place counted from 1.
    """
    choices = [["", *(f"{one.name}={arm.name}" for arm in one.arms)] for one in experiments]
    return [",".join(filter(None, chosen)) for chosen in product(*choices)]
