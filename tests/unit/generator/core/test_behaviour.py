"""Behaviours of specifications, and the changes that a run accepts."""

from __future__ import annotations

import json
import re

import pytest
from clickstream_contract.document import resolve_personas
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.behaviour import Behaviours, Revision, check_change
from simulations import simulation

OWN = "  personas: [{name: Own, basedOn: Bot, thinkMedianMilliseconds: 500}]\n"


def test_revision_survives_as_json() -> None:
    """A revision survives writing and reading, with its simulation."""
    revision = Revision(1.5, 2.25, simulation(more=OWN))

    row = json.loads(json.dumps(revision.to_json()))

    assert row.keys() == {"until_seconds", "from_seconds", "document"}
    assert Revision.from_json(row) == revision
    assert revision.to_json()["document"] is revision.to_json()["document"]


def test_specification_is_worked_out_once() -> None:
    """The same specification gives the same behaviour object; another one a different object."""
    first, other = simulation().spec, simulation("{eventsPerSecond: 7}").spec
    behaviours = Behaviours(first)

    behaviour = behaviours.of(first)

    assert behaviours.of(simulation().spec) is behaviour
    assert behaviours.of(other) is not behaviour
    assert behaviours.of(other).spec.rate.per_second == 7


def test_world_stays_with_another_mix() -> None:
    """Another mix changes the groups' weights, and neither catalog nor places."""
    behaviours = Behaviours(simulation().spec)

    changed = behaviours.of(simulation(mix="Loyal: 1").spec).world

    names = list(resolve_personas(simulation().spec))
    assert changed.catalog is behaviours.world.catalog
    assert changed.cities is behaviours.world.cities
    inhabited = {
        names[persona]
        for persona, weight in zip(changed.group_persona, changed.group_weight, strict=True)
        if weight
    }
    assert inhabited == {"Loyal"}


def test_curve_shapes_the_week() -> None:
    """The rhythm is that of the specification's curve."""
    behaviours = Behaviours(simulation().spec)

    flat = behaviours.of(simulation().spec).rhythm.level
    daily = behaviours.of(simulation("{eventsPerSecond: 7, curve: Diurnal}").spec).rhythm.level

    assert flat.max() == pytest.approx(flat.min())
    assert daily.max() > 2 * daily.min()


def test_endless_session_is_refused() -> None:
    """A cart with which the exit is not reached is refused, with the personas' names."""
    table = "page_view: 1, view_cart: 1, search: 0, view_item_list: 0, view_item: 0, exit: 0"
    own = f"{{name: Odd, basedOn: Browser, transitions: {{page_view: {{{table}}}}}}}"
    spec = simulation(more=f"  personas: [{own}]\n").spec

    with pytest.raises(SimulationInvalid) as caught:
        Behaviours(simulation().spec).of(spec)

    assert caught.value.path == "spec.personas"
    assert caught.value.value == "['Odd']"
    assert "needs a path to the exit" in caught.value.allowed


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("  effects: {{preset: None, overlays: [{{name: odd, {steps}}}]}}\n", "effects.overlays"),
        (
            "  experiments: [{{name: odd, arms: [{{name: control}}, {{name: b, {steps}}}]}}]\n",
            "experiments",
        ),
    ],
)
def test_endless_overlay_is_refused(more: str, path: str) -> None:
    """Multipliers that leave no way out are refused, where they are."""
    table = "search: 0, view_item_list: 0, view_item: 0, exit: 0"
    steps = f"transitions: {{page_view: {{{table}}}}}"
    spec = simulation(more=more.format(steps=steps)).spec

    with pytest.raises(SimulationInvalid) as caught:
        Behaviours(simulation().spec).of(spec)

    assert (caught.value.path, caught.value.value) == (f"spec.{path}", "['odd']")


def test_endless_incident_is_refused() -> None:
    """An incident that takes the only way out is refused, with its name."""
    # With an empty cart, add_to_cart is the only way out of view_item.
    steps = {"page_view": 0, "search": 0, "view_item_list": 0, "exit": 0, "view_item": 1}
    steps |= {"add_to_cart": 1, "view_cart": 1}
    own = {"name": "Odd", "basedOn": "Browser", "transitions": {"view_item": steps}}
    more = "  incidents: [{name: stuck, kind: CartFails, at: 1h, for: 1h}]\n"
    spec = simulation(more=f"  personas: [{json.dumps(own)}]\n{more}").spec

    with pytest.raises(SimulationInvalid) as caught:
        Behaviours(spec).of(spec)

    assert (caught.value.path, caught.value.value) == ("spec.incidents", "['stuck']")


@pytest.mark.parametrize(
    ("more", "users", "path"),
    [
        ("", 60_000, "spec.users"),
        (
            "  experiments: [{name: a, arms: [{name: control}, {name: b}]}]\n",
            50_000,
            "spec.experiments",
        ),
        (
            "  incidents: [{name: a, kind: CartFails, at: 1h, for: 1h}]\n",
            50_000,
            "spec.incidents",
        ),
        ("  randomIncidents: {perDay: 1}\n", 50_000, "spec.randomIncidents"),
        ("  tastes: {}\n", 50_000, "spec.tastes"),
        ("  devices: {mobile: 1, desktop: 1, tablet: 1}\n", 50_000, "spec.devices"),
        ("  backfill: {days: 1}\n", 50_000, "spec.backfill"),
        ("  countries: [{code: DE, weight: 1}]\n", 50_000, "spec.countries"),
        (OWN, 50_000, "spec.personas"),
    ],
)
def test_fixed_field_cannot_change(more: str, users: int, path: str) -> None:
    """The users and their world are fixed when the run begins."""
    with pytest.raises(SimulationInvalid) as caught:
        check_change(simulation(), simulation(more=more, users=users))

    assert caught.value.path == path


def test_name_cannot_change() -> None:
    """A run keeps its simulation's name."""
    other = simulation().model_copy(update={"name": "other"})

    with pytest.raises(
        SimulationInvalid, match="it cannot change in a run; it is tested"
    ) as caught:
        check_change(simulation(), other)

    assert caught.value.path == "metadata.name"


def test_namespace_cannot_change() -> None:
    """A run keeps its simulation's namespace, which is part of its full name."""
    running = simulation().model_copy(update={"namespace": "blue"})
    other = simulation().model_copy(update={"namespace": "red"})

    with pytest.raises(
        SimulationInvalid, match="it cannot change in a run; it is blue/tested"
    ) as caught:
        check_change(running, other)

    assert (caught.value.path, caught.value.value) == ("metadata.name", "'red/tested'")


def test_personas_stay_the_same_ones() -> None:
    """Own personas can change in a run, but none can come, go or change places."""
    text = re.escape("a run cannot add or remove personas; its own are: Own")
    with pytest.raises(SimulationInvalid, match=text):
        check_change(simulation(more=OWN), simulation())
    with pytest.raises(SimulationInvalid, match="its own are: none"):
        check_change(simulation(), simulation(more=OWN))

    check_change(simulation(more=OWN), simulation(more=OWN.replace("500", "900")))


def test_rest_may_change() -> None:
    """Rate, mix, faults and end may change during a run."""
    more = "  faults: {lossPermille: 3}\n  stopAfter: {events: 5}\n"

    check_change(simulation(), simulation("{eventsPerSecond: 7}", more, mix="Loyal: 1"))
