"""Expected truths of a run: the computed conversions, with the error of an estimate over users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.exercise import Conversion, ConversionRatio, Lift
from clickstream_generator.core.expected_truth import (
    conversion_table,
    effect_table,
    lift_table,
    ratio_table,
)
from clickstream_generator.core.played_run import PlayedRun, play
from clickstream_generator.core.segment_truth import arm_truths, segment_truths
from clickstream_generator.core.truth_table import Figure
from lifts import estimate
from simulations import START_SECONDS, simulation

if TYPE_CHECKING:
    from clickstream_generator.core.truth_table import TruthTable

END = "  stopAfter: {events: 50000}\n"
BUTTON = (
    "{name: button, arms: [{name: control}, {name: green, transitions: {view_item: {exit: 0}}}]}"
)
EQUAL = "{name: equal, arms: [{name: control}, {name: other}]}"
BY_DEVICE = Conversion(kind="Conversion", by="device")


@pytest.fixture(scope="module")
def run() -> PlayedRun:
    """A run with an experiment that has an effect, and with one that has none."""
    more = f"{END}  effects: {{preset: Retail}}\n  experiments: [{BUTTON}, {EQUAL}]\n"
    return play(simulation("{eventsPerSecond: 50}", more, mix="Buyer: 1"), START_SECONDS)


def _figure(table: TruthTable, key: str, column: str) -> Figure:
    cell = table.rows[key,].cells[column]
    assert isinstance(cell, Figure)
    return cell


def test_conversion_is_the_computed_one(run: PlayedRun) -> None:
    """Each device has the conversion of its segment; its error is at least that of a share."""
    table = conversion_table(run, BY_DEVICE)

    assert table.answer_columns == BY_DEVICE.answer_columns
    for row in segment_truths(run.behaviour, [["device"]]):
        name = row.segment["device"]
        figure = _figure(table, name, "conversion")
        assert figure.value == row.conversion
        sessions = np.count_nonzero(run.session_values("device") == name)
        binomial = (row.conversion * (1 - row.conversion) / sessions) ** 0.5
        assert 0.8 * binomial < (figure.high - figure.value) / 4 < 1.5 * binomial


def test_ratio_is_of_two_conversions(run: PlayedRun) -> None:
    """Each other device has its conversion divided by that of desktops."""
    wanted = ConversionRatio(kind="ConversionRatio", by="device", against="desktop")
    table, rates = ratio_table(run, wanted), conversion_table(run, BY_DEVICE)
    base = _figure(rates, "desktop", "conversion").value

    assert table.answer_columns == wanted.answer_columns
    assert set(table.rows) == {("mobile",), ("tablet",)}
    for (name,) in table.rows:
        mine = _figure(rates, name, "conversion").value
        assert _figure(table, name, "ratio").value == pytest.approx(mine / base)
        assert mine < 0.99 * base


def test_lift_has_the_views_interval(run: PlayedRun) -> None:
    """The lift is the computed one; its interval is as wide as that of the estimate."""
    wanted = Lift(kind="Lift", experiment="button")
    table = lift_table(run, wanted)
    arms, users = run.session_arms("button"), run.users[run.session_starts]
    bought = run.sessions_with("purchase")
    control, green = arms == "control", arms == "green"
    guess = estimate((users[control], users[green]), (bought[control], bought[green]))

    assert table.answer_columns == wanted.answer_columns
    assert set(table.rows) == {("green",)}
    truth = next(row.lift for row in arm_truths(run.behaviour) if row.arm == "green")
    assert _figure(table, "green", "lift").value == pytest.approx(truth)
    width = table.rows["green",].width
    assert width is not None
    assert width.value == pytest.approx(guess.high - guess.low, rel=0.3)


def test_equal_arms_have_no_effect(run: PlayedRun) -> None:
    """An experiment whose arms are alike has the answer no."""
    rows = effect_table(run).rows

    assert {key: row.cells["effect"] for key, row in rows.items()} == {
        ("button",): "yes", ("equal",): "no",
    }  # fmt: skip


def test_unknown_names_are_refused(run: PlayedRun) -> None:
    """The error names the experiments or the values that there are."""
    with pytest.raises(SimulationInvalid, match="one of: button, equal"):
        lift_table(run, Lift(kind="Lift", experiment="colour"))
    with pytest.raises(SimulationInvalid, match="desktop"):
        ratio_table(run, ConversionRatio(kind="ConversionRatio", by="device", against="phone"))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (f"{END}  experiments: [{BUTTON[:-1]}, at: 1h}}]\n", "spec"),
        ("  stopAfter: {events: 200}\n", "spec.stopAfter"),
    ],
)
def test_run_without_truth_is_refused(more: str, path: str) -> None:
    """A run has no such truth if it has several ranges of time, or too few orders."""
    played = play(simulation(more=more, users=4_000), START_SECONDS)

    with pytest.raises(SimulationInvalid) as caught:
        conversion_table(played, BY_DEVICE)
    assert caught.value.path == path


def test_effect_needs_an_experiment() -> None:
    """Without an experiment there is nothing to answer."""
    played = play(simulation(more="  stopAfter: {events: 200}\n", users=4_000), START_SECONDS)

    with pytest.raises(SimulationInvalid) as caught:
        effect_table(played)
    assert caught.value.path == "spec.experiments"
