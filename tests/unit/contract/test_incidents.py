"""Incidents: their fields, what they change, and those that a seed draws."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.incidents import (
    KINDS,
    MOST_INCIDENTS,
    Incident,
    IncidentKind,
    RandomIncidents,
    drawn_incidents,
)
from clickstream_contract.resource import resource_definition
from pydantic import ValidationError
from simulations import SMALL_SHOP

SHOP = (
    SMALL_SHOP
    + """\
  incidents:
    - {name: one, kind: CheckoutFails, who: {personas: [Shopper]}, at: 90s, for: 30m}
    - {name: two, kind: SlowPages, at: 10m, for: 30m}
  randomIncidents: {perDay: 3}
"""
)


def _incident(**changes: Any) -> Incident:  # noqa: ANN401  any field
    row = {"name": "one", "kind": "CartFails", "at": "1h", "for": "30m"}
    return Incident.model_validate({**row, **changes})


def _drawn(per_day: int, days: int, seed: int = 7) -> tuple[Incident, ...]:
    return drawn_incidents(seed, RandomIncidents.model_validate({"perDay": per_day, "days": days}))


@pytest.mark.parametrize("kind", IncidentKind)
def test_kind_becomes_an_overlay(kind: IncidentKind) -> None:
    """An incident is an overlay with its users and range, and its kind's multipliers or losses."""
    incident = _incident(kind=kind.value, who={"devices": ["mobile"]})
    found = incident.overlay

    assert (found.name, found.who.devices) == ("one", ("mobile",))
    assert found.when.span_seconds == (3_600.0, 5_400.0)
    assert found.transitions == KINDS[kind].transitions
    assert found.think_permille == KINDS[kind].think_permille
    changes_behaviour = bool(found.transitions) or found.think_permille != 1_000
    assert changes_behaviour != incident.loses_events


def test_failing_checkout_ends_orders() -> None:
    """When the checkout fails, no step leads to a purchase."""
    steps = KINDS[IncidentKind.CHECKOUT_FAILS].transitions

    assert steps["add_payment_info"]["purchase"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "Earthquake"},
        {"at": None},
        {"for": "0s"},
        {"name": "Upper"},
        {"name": "a" * 41},
        {"who": {"devices": ["fridge"]}},
        {"hours": [3]},
    ],
)
def test_wrong_incident_is_refused(changes: dict[str, Any]) -> None:
    """An incident has a name, a known kind, a begin and a length, and no other field."""
    _incident()
    with pytest.raises(ValidationError):
        _incident(**changes)


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("SlowPages", "Earthquake", "spec.incidents[1].kind"),
        ("[Shopper]}", "[Unknown]}", "spec.incidents[0].who.personas"),
        ("name: two", "name: one", "spec.incidents[1].at"),
        (
            "SlowPages, at",
            "CheckoutFails, who: {personas: [Shopper]}, at",
            "spec.incidents[1].at",
        ),
    ],
)
def test_error_names_the_place(old: str, new: str, path: str) -> None:
    """Unknown kinds and personas, and incidents that overlap, are refused where they are."""
    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(SHOP.replace(old, new))

    assert caught.value.path == path
    assert caught.value.allowed


def test_name_may_return_later() -> None:
    """Incidents with one name, or one kind and scope, may follow each other."""
    text = SHOP.replace("name: two", "name: one").replace("at: 10m", "at: 1890s")

    assert [row.name for row in parse_simulation(text).spec.incidents] == ["one", "one"]


def test_document_keeps_incidents() -> None:
    """What is written is what was read, with every default."""
    simulation = parse_simulation(SHOP)

    assert simulation.spec.random_incidents == RandomIncidents.model_validate({"perDay": 3})
    assert parse_simulation(dump_simulation(simulation)) == simulation


@pytest.mark.parametrize("per_day", [1, 5, 12])
def test_drawn_incidents_fit_their_day(per_day: int) -> None:
    """Each day has its incidents of 10 to 60 minutes, which do not overlap."""
    found = _drawn(per_day, 31)

    assert [int(row.at_seconds // 86_400) for row in found] == sorted([*range(31)] * per_day)
    assert all(600 <= row.for_seconds <= 3_600 for row in found)
    for before, after in pairwise(found):
        assert before.span_seconds[1] < after.at_seconds
    assert found[-1].span_seconds[1] <= 31 * 86_400


def test_day_follows_from_the_seed() -> None:
    """A day has the same incidents in a longer run, and others with another seed."""
    assert _drawn(3, 9)[:6] == _drawn(3, 2)
    assert _drawn(3, 2, seed=8) != _drawn(3, 2)
    assert {row.kind for row in _drawn(12, 31)} == set(IncidentKind) - {IncidentKind.TRACKING_LOST}
    assert len({row.who for row in _drawn(12, 31)}) == 4


def test_seed_draws_the_same_incidents() -> None:
    """A kind that was added later changes no drawn incident."""
    found = [
        (row.kind.value, row.at_seconds, row.for_seconds, row.who.text) for row in _drawn(3, 1)
    ]

    assert found == [
        ("CheckoutFails", 19_740, 660, "browsers=Safari"),
        ("PaymentDown", 38_160, 2_340, "devices=mobile"),
        ("CheckoutFails", 83_220, 1_140, "browsers=Safari"),
    ]


def test_named_incident_comes_first() -> None:
    """A drawn incident that would overlap a named one is left out; all are in order."""
    spec = parse_simulation(SHOP).spec
    own = drawn_incidents(spec.seed, RandomIncidents.model_validate({"perDay": 3}))
    minute = own[1].at_seconds // 60
    text = SHOP.replace("at: 10m", f"at: {minute}m")

    found = parse_simulation(text).spec.every_incident

    assert own[1] not in found
    assert {row.name for row in found} == {"one", "two"} | {row.name for row in own} - {own[1].name}
    assert [row.at_seconds for row in found] == sorted(row.at_seconds for row in found)


def test_server_refuses_the_same() -> None:
    """The API server's schema has the kinds, the names and the rule that nothing changes."""
    (version,) = resource_definition()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    incidents = spec["properties"]["incidents"]
    one = incidents["items"]["properties"]

    assert incidents["maxItems"] == MOST_INCIDENTS
    assert one["kind"]["enum"] == [kind.value for kind in IncidentKind]
    assert "enum" in one["who"]["properties"]["channels"]["items"]
    rules = [row["rule"] for row in spec["x-kubernetes-validations"]]
    for name in ("incidents", "randomIncidents"):
        assert any(f"oldSelf.{name}" in rule for rule in rules)
    assert any("self.incidents.all" in rule for rule in rules)
