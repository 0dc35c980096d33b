"""Incidents: something breaks for some users and for some time.

Owns the fields of ``spec.incidents`` and ``spec.randomIncidents``, what each kind of incident
changes, and the incidents that a seed draws. An incident is compiled as an overlay of the effects;
one kind changes no behaviour, and loses all events instead.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from clickstream_contract.duration import format_duration
from clickstream_contract.effects import Overlay, When, Who
from clickstream_contract.parts import Duration, Part, member, refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "KINDS",
    "MOST_DRAWN",
    "MOST_INCIDENTS",
    "Incident",
    "IncidentKind",
    "RandomIncidents",
    "drawn_incidents",
    "refuse_overlaps",
]

MOST_INCIDENTS = 20
_MOST_PER_DAY, _MOST_DAYS = 12, 31
MOST_DRAWN = _MOST_PER_DAY * _MOST_DAYS
"""Most incidents that a seed draws."""
_MINUTES_PER_DAY = 1_440
_SHORTEST_MINUTES, _LONGEST_MINUTES = 10, 60


class IncidentKind(StrEnum):
    """What breaks."""

    CHECKOUT_FAILS = "CheckoutFails"
    PAYMENT_DOWN = "PaymentDown"
    CART_FAILS = "CartFails"
    SEARCH_FAILS = "SearchFails"
    SLOW_PAGES = "SlowPages"
    TRACKING_LOST = "TrackingLost"


_PAGES = ("session_start", "page_view", "search", "view_item_list", "view_item", "view_cart")
_BREAKS: dict[IncidentKind, tuple[dict[str, dict[str, int]], int]] = {
    IncidentKind.CHECKOUT_FAILS: ({"add_payment_info": {"purchase": 0}}, 1_000),
    IncidentKind.PAYMENT_DOWN: ({"add_payment_info": {"purchase": 50, "exit": 5_000}}, 1_000),
    IncidentKind.CART_FAILS: ({"view_item": {"add_to_cart": 0}}, 1_000),
    IncidentKind.SEARCH_FAILS: ({"search": {"view_item_list": 100, "exit": 3_000}}, 1_000),
    IncidentKind.SLOW_PAGES: ({page: {"exit": 2_500} for page in _PAGES}, 3_000),
}
_EVERY_EVENT = 1_000
KINDS: dict[IncidentKind, Overlay] = {
    **{
        kind: Overlay.model_validate(
            {"name": "kind", "transitions": transitions, "thinkPermille": think}
        )
        for kind, (transitions, think) in _BREAKS.items()
    },
    IncidentKind.TRACKING_LOST: Overlay.model_validate(
        {"name": "kind", "faults": {"lossPermille": _EVERY_EVENT}}
    ),
}
"""The multipliers of each kind, or its faults."""
_DRAWN_KINDS = tuple(kind for kind in KINDS if kind is not IncidentKind.TRACKING_LOST)
"""Another kind would change the incidents that a seed draws."""
_SCOPES = (
    Who(),
    *(Who(devices=(name,)) for name in ("mobile", "desktop")),
    Who(browsers=("Safari",)),
)
"""Whose sessions a drawn incident may concern: few, because each kind and scope has profiles."""


class Incident(Part):
    """Something that breaks for some users and for some time."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$", max_length=40, description="Its name."),
    ]
    kind: Annotated[IncidentKind, member(IncidentKind), Field(description="What breaks.")]
    who: Annotated[Who, Field(description="Whose sessions it concerns.")] = Who()
    at_seconds: Annotated[
        Duration, Field(alias="at", description="When it begins, after the start.")
    ]
    for_seconds: Annotated[Duration, Field(alias="for", description="How long it lasts.")]

    @property
    def span_seconds(self) -> tuple[float, float]:
        """When it begins and ends, in seconds after the start."""
        return float(self.at_seconds), float(self.at_seconds + self.for_seconds)

    @property
    def overlay(self) -> Overlay:
        """The overlay with the multipliers of its kind."""
        when = {"at_seconds": self.at_seconds, "for_seconds": self.for_seconds}
        own = {"name": self.name, "who": self.who, "when": When().model_copy(update=when)}
        return KINDS[self.kind].model_copy(update=own)

    @property
    def loses_events(self) -> bool:
        """Whether the events of its sessions happen, but are not sent."""
        return self.overlay.faults.loss_permille == _EVERY_EVENT

    @property
    def effect(self) -> tuple[str, IncidentKind, Who]:
        """What it changes for whom; two incidents with the same effect differ only by time."""
        # A share of the users is chosen by the name.
        name = "" if self.who.users_permille == Who().users_permille else self.name
        return name, self.kind, self.who

    def overlaps(self, other: Incident) -> bool:
        """Return whether both have a moment in common."""
        (begin, end), (other_begin, other_end) = self.span_seconds, other.span_seconds
        return begin < other_end and other_begin < end


class RandomIncidents(Part):
    """Incidents that the seed draws."""

    per_day: Annotated[
        int, Field(ge=1, le=_MOST_PER_DAY, description="Number of incidents per day.")
    ]
    days: Annotated[
        int, Field(ge=1, le=_MOST_DAYS, description="For so many days after the start; then none.")
    ] = 7


def drawn_incidents(seed: int, wanted: RandomIncidents) -> tuple[Incident, ...]:
    """Return the incidents that a seed draws, by time; those of a day follow from seed and day.

    A day has equal parts, each with one incident of 10 to 60 minutes, so they do not overlap.
    """
    return tuple(
        _drawn(seed, day, place, _MINUTES_PER_DAY // wanted.per_day)
        for day in range(wanted.days)
        for place in range(wanted.per_day)
    )


def _drawn(seed: int, day: int, place: int, minutes: int) -> Incident:
    """Return the incident of a part of a day, which lasts the given minutes."""
    digest = hashlib.blake2b(f"{seed}:incident:{day}:{place}".encode(), digest_size=32).digest()
    kind, scope, length, begin = (
        int.from_bytes(digest[at : at + 8], "little") for at in range(0, 32, 8)
    )
    lasts = _SHORTEST_MINUTES + length % (_LONGEST_MINUTES - _SHORTEST_MINUTES + 1)
    # Not in the first minute: a run needs sessions before its first incident.
    after = 1 + begin % (minutes - lasts)
    return Incident.model_validate(
        {
            "name": f"random-{day + 1}-{place + 1}",
            "kind": _DRAWN_KINDS[kind % len(_DRAWN_KINDS)],
            "who": _SCOPES[scope % len(_SCOPES)],
            "at": format_duration(60 * (_MINUTES_PER_DAY * day + minutes * place + after)),
            "for": format_duration(60 * lasts),
        }
    )


def refuse_overlaps(incidents: Sequence[Incident]) -> None:
    """Raise an error if incidents with the same name or the same effect overlap."""
    for place, incident in enumerate(incidents):
        for before in incidents[:place]:
            alike = incident.name == before.name or incident.effect == before.effect
            if alike and incident.overlaps(before):
                allowed = (
                    f"a time at which {before.name} does not last: incidents with the same name, "
                    "or of the same kind for the same users, must not overlap"
                )
                value = format_duration(incident.at_seconds)
                raise refuse(f"incidents[{place}].at", value, allowed)
