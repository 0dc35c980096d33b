"""An exercise: a question about the run of a simulation, and where its truth comes from.

Owns the syntax of exercise files, YAML::

    title: Conversion per device
    simulation: simulations/shop.yaml      # beside the exercise
    start: 2026-01-12T00:00:00Z            # of the live part, as for clickstream generate
    question: Which share of the sessions of each device has an order?
    truth: {kind: Conversion, by: device}

An exercise has no answer: the truth is computed from the simulation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import yaml
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.parts import Duration, Part, as_tuple, refuse
from pydantic import BeforeValidator, Field, ValidationError

__all__ = [
    "Conversion",
    "ConversionRatio",
    "Detection",
    "Effect",
    "Exercise",
    "Funnel",
    "GapSessions",
    "Ledger",
    "Lift",
    "TableTruth",
    "UserSessions",
    "parse_exercise",
]

_Attribute = Literal["device", "os", "browser", "country", "channel", "persona", "session", "hour"]
"""Those of :data:`clickstream_generator.core.segment_truth.ATTRIBUTES`."""
_Step = Literal[
    "session_start", "view_item_list", "view_item", "add_to_cart", "view_cart", "begin_checkout",
    "purchase",
]  # fmt: skip
_LedgerFigure = Literal["events", "purchase_events", "revenue_minor"]
_Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Conversion(Part):
    """The share of the sessions with an order, of each value of an attribute."""

    kind: Literal["Conversion"]
    by: _Attribute

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return (self.by, "conversion", "low", "high")


class ConversionRatio(Part):
    """The conversion of each value of an attribute, divided by that of one of them."""

    kind: Literal["ConversionRatio"]
    by: _Attribute
    against: str

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return (self.by, "ratio")


class Lift(Part):
    """The lift of each arm of an experiment against the control."""

    kind: Literal["Lift"]
    experiment: str

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("arm", "lift", "low", "high")


class Effect(Part):
    """Whether an arm of each experiment changes the conversion."""

    kind: Literal["Effect"]

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("experiment", "effect")


class Ledger(Part):
    """Figures of the ledger: of the whole run, or of each window of event time."""

    kind: Literal["Ledger"]
    figures: Annotated[tuple[_LedgerFigure, ...], BeforeValidator(as_tuple), Field(min_length=1)]
    window_seconds: Annotated[Duration | None, Field(alias="window")] = None

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return (*(("window",) if self.window_seconds else ()), *self.figures)


class Funnel(Part):
    """The number of sessions that have a step."""

    kind: Literal["Funnel"]
    steps: Annotated[tuple[_Step, ...], BeforeValidator(as_tuple), Field(min_length=1)]

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("step", "sessions")


class GapSessions(Part):
    """The number of sessions, if one ends after a time without an event of the user."""

    kind: Literal["GapSessions"]
    gap_seconds: Annotated[Duration, Field(alias="gap")]

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("sessions",)


class UserSessions(Part):
    """How many users have one session, two sessions, and so on."""

    kind: Literal["UserSessions"]

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("sessions", "users")


class Detection(Part):
    """The intervals of the incidents, with the score that a detector needs."""

    kind: Literal["Detection"]
    precision: _Share
    recall: _Share
    most_seconds: Annotated[Duration, Field(alias="most")]

    @property
    def answer_columns(self) -> tuple[str, ...]:
        """The columns of an answer."""
        return ("from", "until")


TableTruth = (
    Conversion | ConversionRatio | Lift | Effect | Ledger | Funnel | GapSessions | UserSessions
)
"""The kinds whose answer has rows."""


def _moment(value: object) -> float:
    """Return Unix seconds; YAML may already have parsed the time."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refuse("", str(value), "a time with a time zone, such as 2026-01-12T00:00:00Z")
    return moment.timestamp()


class Exercise(Part):
    """An exercise.

    Attributes:
        title: Its name.
        simulation: The file of the simulation, relative to that of the exercise.
        start_seconds: When the live part of the run starts, Unix seconds.
        question: What to find, and what to hand in.
        truth: Where the truth comes from.
    """

    title: Annotated[str, Field(min_length=1, max_length=80)]
    simulation: Annotated[str, Field(min_length=1, max_length=255)]
    start_seconds: Annotated[float, BeforeValidator(_moment), Field(alias="start")]
    question: Annotated[str, Field(min_length=1, max_length=2_000)]
    truth: Annotated[TableTruth | Detection, Field(discriminator="kind")]


def parse_exercise(text: str, place: str) -> Exercise:
    """Return the exercise of a file.

    Args:
        text: The file's text.
        place: The file's name, for errors.

    Raises:
        SimulationInvalid: Names the file with the field, the value, and what is allowed.
    """
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise SimulationInvalid(place, "an alias", "write each value out")
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SimulationInvalid(place, problem, "one YAML document with an exercise") from None
    try:
        return Exercise.model_validate(content)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        context = first.get("ctx", {})
        where = ", ".join([place, *(str(part) for part in first["loc"])])
        value = context.get("value", first["input"])
        raise SimulationInvalid(where, value, context.get("allowed", first["msg"])) from None
