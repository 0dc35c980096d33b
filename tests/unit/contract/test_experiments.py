"""Experiments: their arms, the overlays of these, and the text of a session's arms."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.document import dump_simulation, parse_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import field
from clickstream_contract.experiments import (
    MOST_EXPERIMENTS,
    Experiment,
    exposure_texts,
)
from clickstream_contract.resource import resource_definition
from pydantic import ValidationError
from simulations import SMALL_SHOP

ARMS = [{"name": "control"}, {"name": "green", "thinkPermille": 900}]


def _experiment(**changes: Any) -> Experiment:  # noqa: ANN401  any field
    return Experiment.model_validate({"name": "button", "arms": ARMS, **changes})


def test_arms_become_overlays() -> None:
    """Each arm is an overlay with the experiment's users and range, but not their share."""
    found = _experiment(at="2m", who={"devices": ["mobile"], "usersPermille": 500}).overlays

    assert [row.think_permille for row in found] == [1_000, 900]
    assert {row.who.devices for row in found} == {("mobile",)}
    assert {row.who.users_permille for row in found} == {1_000}
    assert {row.when.span_seconds for row in found} == {(120.0, float("inf"))}


@pytest.mark.parametrize(
    "changes",
    [
        {"arms": ARMS[:1]},
        {"arms": [*ARMS, *({"name": f"a{place}"} for place in range(4))]},
        {"arms": ARMS[::-1]},
        {"arms": [*ARMS, {"name": "green"}]},
        {"arms": [ARMS[0], {"name": "a" * 21}]},
        {"arms": [ARMS[0], {"name": "a=b"}]},
        {"arms": [ARMS[0], {"name": "a", "weight": 0}]},
        {"arms": [ARMS[0], {"name": "a", "transitions": {"search": {"purchase": 1}}}]},
        {"name": "a" * 41},
        {"name": "a,b"},
        {"at": "0s"},
        {"hours": [3]},
        {"who": {"devices": ["fridge"]}},
    ],
)
def test_wrong_experiment_is_refused(changes: dict[str, Any]) -> None:
    """An experiment has two to five arms with different names; control is the first."""
    _experiment()
    with pytest.raises(ValidationError):
        _experiment(**changes)


def test_texts_name_the_arms() -> None:
    """There is a text for each combination of arms, in and out of each experiment."""
    other = _experiment(name="shipping")

    assert exposure_texts([]) == [""]
    assert exposure_texts([_experiment(), other]) == [
        "", "shipping=control", "shipping=green",
        "button=control", "button=control,shipping=control", "button=control,shipping=green",
        "button=green", "button=green,shipping=control", "button=green,shipping=green",
    ]  # fmt: skip


def test_longest_text_fits() -> None:
    """The arms of the most experiments, with the longest names, fit into the event's field."""
    arms = [{"name": "control"}, {"name": "a" * 20}]
    experiments = [_experiment(name="b" * 40, arms=arms)] * MOST_EXPERIMENTS

    assert max(map(len, exposure_texts(experiments))) <= field("experiments").max_length


SHOP = (
    SMALL_SHOP
    + """\
  experiments:
    - {name: button, at: 90s, who: {personas: [Shopper]}, arms: [{name: control}, {name: green}]}
    - {name: shipping, for: 1h, arms: [{name: control}, {name: free, weight: 3}]}
"""
)


def test_document_keeps_experiments() -> None:
    """What is written is what was read, with every default."""
    simulation = parse_simulation(SHOP)

    assert parse_simulation(dump_simulation(simulation)) == simulation


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("[Shopper]}", "[Unknown]}", "spec.experiments[0].who.personas"),
        ("name: shipping", "name: button", "spec.experiments"),
    ],
)
def test_names_are_known_and_unique(old: str, new: str, path: str) -> None:
    """Personas exist, a name belongs to one experiment, and the error says where."""
    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(SHOP.replace(old, new))

    assert caught.value.path == path


def test_server_refuses_the_same() -> None:
    """The API server's schema has the names, the steps and the rules about arms."""
    (version,) = resource_definition()["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    experiments = spec["properties"]["experiments"]
    one = experiments["items"]["properties"]

    assert experiments["maxItems"] == MOST_EXPERIMENTS
    assert "enum" in one["who"]["properties"]["channels"]["items"]
    rules = [row["rule"] for row in one["arms"]["x-kubernetes-validations"]]
    assert "self[0].name == 'control'" in rules
    steps = one["arms"]["items"]["properties"]["transitions"]["properties"]
    assert "purchase" not in steps["search"]["properties"]
    assert any("oldSelf.experiments" in row["rule"] for row in spec["x-kubernetes-validations"])
