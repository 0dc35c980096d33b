"""Reading a simulation: every mistake gets one line with the path and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickstream_contract.document import dump_simulation, parse_simulation, resolve_personas
from clickstream_contract.errors import SimulationInvalid

SIMULATIONS = sorted((Path(__file__).parents[3] / "k8s" / "simulations").glob("*.yaml"))

GOOD = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: shop}
spec:
  seed: 42
  rate: {eventsPerSecond: 100}
  userMix: [{persona: Browser, weight: 1}]
"""

OVERLAPPING = "100, bursts: [{at: 1m, for: 5m, multiplierPermille: 5}, {at: 2m, for: 1m,"
OVERLAPPING += " multiplierPermille: 5}]}"

BAD = [
    ("eventsPerSecond: 100", "eventsPerSecond: 0", "spec.rate.eventsPerSecond: 0 is not"),
    ("eventsPerSecond: 100", "eventsPerSecond: 1000000000000", "at most 1000000"),
    ("eventsPerSecond: 100", "eventsPerSecond: 1.5", "a whole number"),
    ("eventsPerSecond: 100", "eventsPerSecond: true", "a whole number"),
    ("eventsPerSecond: 100", "eventsPerSecond: .nan", "a whole number"),
    ("eventsPerSecond: 100", "eventPerSecond: 100", "did you mean eventsPerSecond?"),
    ("{eventsPerSecond: 100}", "{}", "exactly one of eventsPerSecond and eventsPerMinute"),
    ("100}", "100, eventsPerMinute: 1}", "exactly one of"),
    ("100}", "100, curve: Sinus}", "one of Constant, Diurnal, Weekly, Steps"),
    ("100}", "100, curve: Steps}", "spec.rate.steps"),
    ("100}", "100, steps: [{for: 1m, multiplierPermille: 5}]}", "spec.rate.steps"),
    ("100}", "100, bursts: [{at: 1x, for: 1m, multiplierPermille: 5}]}", "spec.rate.bursts[0].at"),
    (
        "100}",
        OVERLAPPING,
        "do not overlap",
    ),
    ("weight: 1", "weight: 0", "spec.userMix: 0 is not allowed; at least one weight above 0"),
    ("weight: 1", "weight: -1", "spec.userMix[0].weight"),
    ("Browser", "Browsr", "spec.userMix[0].persona: 'Browsr' is not allowed; one of Browser"),
    ("weight: 1}]", "weight: 1}, {persona: Browser, weight: 2}]", "each name once"),
    ("seed: 42", "seed: 42\n  users: 3", "at least one user per shard: 16"),
    ("seed: 42", "seed: x", "spec.seed: 'x' is not allowed; it must be a whole number"),
    ("seed: 42", "seed: 42\n  seed: 43", "each key once"),
    ("seed: 42", "seed: 42\n  countries: [{code: XX, weight: 1}]", "spec.countries[0].code"),
    ("seed: 42", "seed: 42\n  stopAfter: {duration: 1m, events: 5}", "exactly one of duration"),
    ("seed: 42", "seed: 42\n  workers: {count: 1, max: 2}", "one of count and max, not both"),
    ("seed: 42", "seed: 42\n  devices: {mobile: 0, desktop: 0, tablet: 0}", "spec.devices"),
    (
        "seed: 42",
        "seed: 42\n  faults: {lossPermille: 600, latePermille: 600}",
        "add up to 1000 permille",
    ),
    (
        "seed: 42",
        "seed: 42\n  personas: [{name: X, basedOn: Bot, transitions: {search: {purchase: 1}}}]",
        "spec.personas[0].transitions.search",
    ),
    ("metadata: {name: shop}", "metadata: {name: My_Shop}", "metadata.name"),
    ("metadata: {name: shop}", "metadata: []", "metadata"),
    ("kind: ClickstreamSimulation", "kind: Pod", "kind: 'Pod' is not allowed"),
    ("spec:", "specs:", "specs: 'unknown field'"),
    ("spec:", "spec: [}", "document, line 5"),
]


@pytest.mark.parametrize(("old", "new", "says"), BAD, ids=[row[1][:50] for row in BAD])
def test_a_mistake_is_named_with_its_path(old: str, new: str, says: str) -> None:
    """One line says where it is, what stands there and what may stand there."""
    assert old in GOOD

    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(GOOD.replace(old, new, 1))

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "42", "a: b: c", "- x", "---\na: 1\n---\nb: 2", "\x00", "a: &x [*x]", "x" * 300_000,
     "a: &a [1]\nb: [" + "*a," * 100 + "]", "!!python/object/apply:os.system [id]",
     GOOD.replace("metadata: {", "metadata: {labels: [a], "), GOOD + "? [a]\n: b\n"],
    ids=["empty", "number", "no yaml", "list", "two", "nul", "cycle", "huge", "bomb", "code",
         "labels", "key"],
)  # fmt: skip
def test_what_is_no_simulation_is_refused(text: str) -> None:
    """Whatever the text, it is a SimulationInvalid and nothing else."""
    with pytest.raises(SimulationInvalid):
        parse_simulation(text)


def test_a_persona_that_can_never_leave_is_refused() -> None:
    """A simulation whose visits could not end would fill the memory."""
    stuck = "{name: Bot, basedOn: Bot, transitions: {view_item: {exit: 0}, page_view: {exit: 0},"
    stuck += " view_item_list: {exit: 0}}}"
    text = GOOD.replace("Browser", "Bot") + f"  personas: [{stuck}]\n"

    with pytest.raises(SimulationInvalid, match="a way to the exit"):
        parse_simulation(text)


@pytest.mark.parametrize("path", SIMULATIONS, ids=[path.stem for path in SIMULATIONS])
def test_the_simulations_that_ship_are_valid(path: Path) -> None:
    """Every file in k8s/simulations parses, and comes back the same from its dump."""
    simulation = parse_simulation(path.read_text(encoding="utf-8"))

    assert parse_simulation(dump_simulation(simulation)) == simulation


def test_a_persona_of_ones_own_overrides_only_what_it_names() -> None:
    """The rest stays the preset's."""
    own = "{name: Slow, basedOn: Buyer, thinkMedianMilliseconds: 60000}"
    simulation = parse_simulation(GOOD + f"  personas: [{own}]\n")

    personas = resolve_personas(simulation.spec)

    assert personas["Slow"].think_median_seconds == 60.0
    assert personas["Slow"].transitions == personas["Buyer"].transitions


def test_the_command_line_overrides_rate_and_end() -> None:
    """``--for`` and ``--rate`` replace what the file says."""
    simulation = parse_simulation(GOOD).with_overrides(duration_seconds=90, events_per_second=7)

    assert simulation.spec.rate.per_second == 7
    assert simulation.spec.stop_after is not None
    assert simulation.spec.stop_after.duration_seconds == 90


def test_annotations_say_when_a_change_holds_and_when_a_run_went_on() -> None:
    """Both are moments with their zone; anything else is refused by the annotation's name."""
    said = "{clickstream.dev/effective-from: 2026-11-27T08:00:00Z, "
    said += "clickstream.dev/resumed-at: '2026-11-27T09:00:00+01:00', other: 7}"
    text = GOOD.replace("{name: shop}", f"{{name: shop, annotations: {said}}}")

    simulation = parse_simulation(text)

    assert simulation.effective_from_seconds == simulation.resumed_at_seconds == 1_795_766_400
    with pytest.raises(SimulationInvalid, match=re.escape("clickstream.dev/resumed-at: ")):
        parse_simulation(text.replace("'2026-11-27T09:00:00+01:00'", "soon"))
