"""The command that prints the truth about segments."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.behaviour import Behaviours
from clickstream_generator.core.incident_truth import incident_truths
from clickstream_generator.core.segment_truth import ATTRIBUTES, arm_truths, segment_truths
from clickstream_generator.core.taste_truth import recommender_truths, user_tastes
from clickstream_generator.shell.simulation_source import Overrides, read_simulation
from clickstream_generator.truth_command import truth
from simulations import SMALL_SHOP, START_SECONDS
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = (
    SMALL_SHOP
    + """\
  effects:
    preset: None
    overlays:
      - {name: phones, who: {devices: [mobile]}, when: {at: 90m}, thinkPermille: 500,
         transitions: {view_item: {add_to_cart: 500}}}
"""
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A simulation with one overlay from 90 minutes on."""
    path = tmp_path / "shop.yaml"
    path.write_text(_TEXT, encoding="utf-8")
    return path


def _run(*arguments: str) -> tuple[list[dict[str, str]], BaseException | None]:
    app = typer.Typer()
    app.command()(truth)
    done = CliRunner().invoke(app, arguments)
    return list(csv.DictReader(done.stdout.splitlines())), done.exception


def test_rows_are_the_truth(file: Path) -> None:
    """Each row is a segment in a range of the run, as computed."""
    rows, _ = _run(str(file), "--by", "device,channel", "--by", "country")

    spec = read_simulation(file, Overrides()).spec
    kinds = [("device", "channel"), ("country",)]
    wanted = segment_truths(Behaviours(spec).of(spec), kinds)
    assert [float(row["conversion"]) for row in rows] == [
        pytest.approx(row.conversion, abs=1e-6) for row in wanted
    ]
    assert [(row["from"], row["until"]) for row in (rows[0], rows[-1])] == [
        ("", "1h30m"),
        ("1h30m", ""),
    ]
    assert rows[0]["segment"] == "device=mobile channel=organic_search"
    assert rows[-1]["segment"] == "country=US"


def test_default_is_each_attribute(file: Path) -> None:
    """Without --by there is a row for all sessions, and rows for each attribute alone."""
    rows, _ = _run(str(file))

    assert rows[0]["segment"] == "all"
    assert rows[0]["share"] == "1.000000"
    assert {row["segment"].partition("=")[0] for row in rows} == {"all", *ATTRIBUTES}


def test_experiments_have_their_lift(tmp_path: Path) -> None:
    """Each arm is a row in each range of its experiment; the control has no lift."""
    arms = "[{name: control}, {name: green, transitions: {view_item: {add_to_cart: 2000}}}]"
    path = tmp_path / "shop.yaml"
    path.write_text(f"{_TEXT}  experiments: [{{name: button, arms: {arms}, for: 90m}}]\n", "utf-8")

    rows, _ = _run(str(path), "--experiments")

    spec = read_simulation(path, Overrides()).spec
    control, green = arm_truths(Behaviours(spec).of(spec))
    assert [(row["from"], row["until"], row["arm"], row["lift"]) for row in rows] == [
        ("0s", "1h30m", "control", ""),
        ("0s", "1h30m", "green", f"{green.lift:.6f}"),
    ]
    assert float(rows[1]["conversion"]) == pytest.approx(green.conversion, abs=1e-6)
    assert green.conversion == pytest.approx((1 + green.lift) * control.conversion)


INCIDENT = (
    "  incidents: [{name: cart, kind: CartFails, who: {devices: [mobile]}, at: 1h, for: 5m}]\n"
)


@pytest.mark.parametrize(
    ("options", "start", "times"),
    [
        ((), None, ("1h", "1h5m")),
        (
            ("--start", "2025-11-24T17:00:00+01:00"),
            START_SECONDS,
            ("2025-11-24T17:00:00Z", "2025-11-24T17:05:00Z"),
        ),
    ],
)
def test_incidents_have_their_loss(
    tmp_path: Path, options: tuple[str, ...], start: float | None, times: tuple[str, str]
) -> None:
    """Each incident is a row with its interval, its users and its loss."""
    path = tmp_path / "shop.yaml"
    path.write_text(_TEXT + INCIDENT, "utf-8")

    (row,), _ = _run(str(path), "--incidents", *options)

    spec = read_simulation(path, Overrides()).spec
    (wanted,) = incident_truths(Behaviours(spec).of(spec), start)
    assert (row["from"], row["until"]) == times
    assert (row["incident"], row["kind"], row["scope"]) == ("cart", "CartFails", "devices=mobile")
    assert float(row["lost_orders"]) == pytest.approx(wanted.orders, abs=0.01)
    assert float(row["orders_tolerance"]) == pytest.approx(wanted.orders_tolerance, abs=0.01)
    assert float(row["lost_revenue"]) == pytest.approx(wanted.revenue_minor / 100, abs=0.01)
    assert float(row["revenue_tolerance"]) == pytest.approx(
        wanted.revenue_tolerance_minor / 100, abs=0.01
    )


@pytest.mark.parametrize(
    ("options", "place"),
    [
        (("--incidents",), "spec.incidents"),
        (("--incidents", "--by", "device"), "--by"),
        (("--incidents", "--experiments"), "--incidents"),
        (("--incidents", "--start", "today"), "--start"),
        (("--start", "2025-11-24T17:00:00Z"), "--start"),
    ],
)
def test_incidents_have_their_options(file: Path, options: tuple[str, ...], place: str) -> None:
    """Without an incident, or with other options, there is nothing to print."""
    _, error = _run(str(file), *options)

    assert isinstance(error, SimulationInvalid)
    assert error.path == place


def test_experiments_are_not_segments(file: Path) -> None:
    """Without an experiment, or with attributes, there is nothing to print."""
    for arguments, place in (
        (("--experiments",), "spec.experiments"),
        (("--experiments", "--by", "device"), "--by"),
    ):
        _, error = _run(str(file), *arguments)
        assert isinstance(error, SimulationInvalid)
        assert error.path == place


def test_unknown_attribute_is_refused(file: Path) -> None:
    """The error names the attributes that there are."""
    _, error = _run(str(file), "--by", "device,planet")

    assert isinstance(error, SimulationInvalid)
    assert (error.path, error.value) == ("--by", "'planet'")


def test_too_many_segments_are_refused(file: Path) -> None:
    """Attributes that would take hours are refused at once, with the number of segments."""
    _, error = _run(str(file), "--by", ",".join(ATTRIBUTES))

    assert isinstance(error, SimulationInvalid)
    assert error.path == "--by"
    assert "at most 20000 segments" in str(error)


def _with_tastes(path: Path) -> Path:
    path.write_text(f"{_TEXT}  users: 64\n  tastes: {{companions: 2}}\n", "utf-8")
    return path


def test_tastes_name_users_and_products(tmp_path: Path) -> None:
    """Users, companions and recommenders are those of the simulation, as computed."""
    file = _with_tastes(tmp_path / "shop.yaml")
    spec = read_simulation(file, Overrides()).spec
    behaviour = Behaviours(spec).of(spec)
    tastes, products = behaviour.world.tastes, behaviour.world.catalog.product_ids
    assert tastes is not None

    users, companions, recommenders = (
        _run(str(file), "--tastes", name)[0] for name in ("users", "companions", "recommenders")
    )

    assert [
        (row["user_id"], row["category"], row["share"], row["price_level"]) for row in users
    ] == [
        (row.user_id, name, f"{share:.4f}", f"{row.price_level:.4f}")
        for row in user_tastes(behaviour, tastes)
        for name, share in row.categories.items()
    ]
    assert [(row["product_id"], row["companion_id"]) for row in companions] == [
        (products[product], products[companion])
        for product, row in enumerate(tastes.companions.tolist())
        for companion in row
    ]
    assert {row["share"] for row in companions} == {"0.1500"}
    assert [(row["recommender"], row["hit_rate"], row["margin"]) for row in recommenders] == [
        (row.recommender, f"{row.hit_rate:.4f}", f"{row.margin:.4f}")
        for row in recommender_truths(behaviour, tastes)
    ]


def test_tastes_have_their_options(file: Path, tmp_path: Path) -> None:
    """Without tastes, or with other options, there is nothing to print."""
    fond = _with_tastes(tmp_path / "fond.yaml")
    for arguments, place in (
        ((file, "--tastes", "users"), "spec.tastes"),
        ((fond, "--tastes", "users", "--by", "device"), "--by"),
        ((fond, "--tastes", "users", "--incidents"), "--tastes"),
        ((fond, "--tastes", "users", "--start", "2025-11-24T17:00:00Z"), "--start"),
    ):
        _, error = _run(*map(str, arguments))
        assert isinstance(error, SimulationInvalid)
        assert error.path == place
