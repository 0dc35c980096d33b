"""Effects: overlays on the behaviour of some sessions.

Owns the fields of ``spec.effects``, their bounds, and the overlays of the preset ``Retail``. An
overlay says who, when, by how much their weights and think times differ, and which faults their
events have. Of several overlays that apply to a session, the multipliers are multiplied, and the
shares of faults are added.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import DEVICES
from clickstream_contract.parts import (
    Duration,
    Part,
    Permille,
    as_tuple,
    member,
    refuse,
    refuse_illegal_steps,
)

__all__ = [
    "BROWSERS",
    "CHANNEL_NAMES",
    "MOST_PERMILLE",
    "OVERLAYS",
    "SYSTEMS",
    "WEEKDAYS",
    "EffectPreset",
    "Effects",
    "Overlay",
    "OverlayFaults",
    "ThinkPermille",
    "Transitions",
    "When",
    "Who",
]

SYSTEMS = ("Android", "iOS", "iPadOS", "Windows", "macOS", "Linux")
"""The operating systems of the generator's users."""
BROWSERS = ("Chrome", "Safari", "Firefox", "Edge", "Samsung Internet", "Crawler")
CHANNEL_NAMES = (
    "organic_search",
    "direct",
    "paid_search",
    "social",
    "email",
    "referral",
    "affiliate",
)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MOST_PERMILLE = 10_000
"""The highest multiplier of an overlay."""

Transitions = Annotated[
    dict[str, dict[str, Annotated[int, Field(ge=0, le=MOST_PERMILLE)]]],
    Field(max_length=12, description="Multipliers of single steps, by the previous step."),
]
ThinkPermille = Annotated[
    int, Field(ge=10, le=MOST_PERMILLE, description="Multiplier of the time between two steps.")
]


def _some_of(allowed: tuple[str, ...]) -> BeforeValidator:
    """Return a validator of a list of names."""

    def read(value: object) -> object:
        found = as_tuple(value)
        for name in found if isinstance(found, tuple) else ():
            if name not in allowed:
                raise refuse("", name, "one of " + ", ".join(allowed))
        return found

    return BeforeValidator(read)


class Who(Part):
    """Whose sessions: all conditions must hold."""

    devices: Annotated[
        tuple[str, ...],
        _some_of(DEVICES),
        Field(max_length=3, description="Devices; all if empty."),
    ] = ()
    os: Annotated[
        tuple[str, ...],
        _some_of(SYSTEMS),
        Field(max_length=6, description="Operating systems; all if empty."),
    ] = ()
    browsers: Annotated[
        tuple[str, ...],
        _some_of(BROWSERS),
        Field(max_length=6, description="Browsers; all if empty."),
    ] = ()
    countries: Annotated[
        tuple[str, ...],
        _some_of(tuple(COUNTRIES)),
        Field(max_length=22, description="Countries, ISO 3166-1 alpha-2; all if empty."),
    ] = ()
    channels: Annotated[
        tuple[str, ...],
        _some_of(CHANNEL_NAMES),
        Field(max_length=7, description="Channels; all if empty."),
    ] = ()
    personas: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        BeforeValidator(as_tuple),
        Field(max_length=10, description="Presets, or some of spec.personas; all if empty."),
    ] = ()
    returning: Annotated[
        bool | None,
        Field(description="Only first sessions (false), or only later ones (true); else both."),
    ] = None
    users_permille: Annotated[
        int,
        Field(ge=1, le=1_000, description="Of 1000 users, how many, chosen by the overlay's name."),
    ] = 1_000

    @property
    def text(self) -> str:
        """The conditions as text, such as ``devices=mobile,tablet browsers=Safari``, or ``all``."""
        rows = self.model_dump(by_alias=True, exclude_defaults=True).items()
        shown = {
            name: ",".join(value) if isinstance(value, tuple) else str(value).lower()
            for name, value in rows
        }
        return " ".join(f"{name}={value}" for name, value in shown.items()) or "all"


class When(Part):
    """When sessions begin: all conditions must hold."""

    at_seconds: Annotated[
        Duration | None,
        Field(alias="at", description="From this time after the start; always if absent."),
    ] = None
    for_seconds: Annotated[
        Duration | None,
        Field(alias="for", description="For this long after that, or after the start."),
    ] = None
    hours: Annotated[
        tuple[Annotated[int, Field(ge=0, le=23)], ...],
        BeforeValidator(as_tuple),
        Field(max_length=24, description="Local hours, 0 to 23; all if empty."),
    ] = ()
    weekdays: Annotated[
        tuple[str, ...],
        _some_of(WEEKDAYS),
        Field(max_length=7, description="Local days of the week; all if empty."),
    ] = ()

    @property
    def span_seconds(self) -> tuple[float, float]:
        """When it begins and ends, in seconds after the start; infinite without a bound."""
        if self.at_seconds is None and self.for_seconds is None:
            return float("-inf"), float("inf")
        begin = float(self.at_seconds or 0)
        return begin, begin + (float("inf") if self.for_seconds is None else self.for_seconds)


class OverlayFaults(Part):
    """Faults of the events of some sessions, in permille of these events, besides spec.faults."""

    loss_permille: Annotated[Permille, Field(description="Numbered but never sent.")] = 0
    late_permille: Annotated[
        Permille,
        Field(description="Held back and sent late, as spec.faults.maxLatenessSeconds says."),
    ] = 0
    duplicate_permille: Annotated[Permille, Field(description="Sent twice.")] = 0

    @property
    def shares(self) -> tuple[int, int, int]:
        """The shares that are lost, late and sent twice, in permille."""
        return self.loss_permille, self.late_permille, self.duplicate_permille

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if (total := sum(self.shares)) > 1_000:
            raise refuse("", total, "shares that add up to 1000 permille at most")
        return self


class Overlay(Part):
    """Multipliers on the behaviour of some sessions, and faults of their events."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63, description="Its name."),
    ]
    who: Annotated[Who, Field(description="Whose sessions.")] = Who()
    when: Annotated[When, Field(description="When these sessions begin.")] = When()
    transitions: Transitions = Field(default_factory=dict)
    think_permille: ThinkPermille = 1_000
    faults: Annotated[OverlayFaults, Field(description="Faults of their events.")] = OverlayFaults()

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        refuse_illegal_steps(self.transitions)
        return self


class EffectPreset(StrEnum):
    """The overlays that a simulation has without naming them."""

    RETAIL = "Retail"
    NONE = "None"


class Effects(Part):
    """How sessions differ by who the user is, and when the session begins."""

    preset: Annotated[
        EffectPreset,
        member(EffectPreset),
        Field(description="Differences as in retail by device, channel, first session and hour."),
    ] = EffectPreset.RETAIL
    overlays: Annotated[
        tuple[Overlay, ...],
        BeforeValidator(as_tuple),
        Field(max_length=20, description="Further differences."),
    ] = ()

    @property
    def every(self) -> tuple[Overlay, ...]:
        """The overlays of the preset, then the other ones."""
        return OVERLAYS[self.preset] + self.overlays

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        names = [overlay.name for overlay in self.overlays]
        if len(set(names)) != len(names):
            raise refuse("overlays", names, "each name once")
        return self


def _buying(name: str, permille: int, **conditions: dict[str, Any]) -> Overlay:
    """Return an overlay on the two steps that decide most: into the cart, and to checkout."""
    steps = {
        "view_item": {"add_to_cart": permille},
        "view_cart": {"begin_checkout": permille},
    }
    return Overlay.model_validate({"name": name, "transitions": steps, **conditions})


OVERLAYS: dict[EffectPreset, tuple[Overlay, ...]] = {
    EffectPreset.NONE: (),
    EffectPreset.RETAIL: (
        _buying("mobile", 450, who={"devices": ["mobile"]}),
        _buying("tablet", 900, who={"devices": ["tablet"]}),
        _buying("email", 1_800, who={"channels": ["email"]}),
        _buying("direct", 1_300, who={"channels": ["direct"]}),
        _buying("paid-search", 800, who={"channels": ["paid_search"]}),
        _buying("social", 350, who={"channels": ["social"]}),
        _buying("evening", 1_150, when={"hours": [19, 20, 21]}),
    ),
}
"""The overlays of each preset; ``docs/effects.md`` has the sources of the sizes."""
