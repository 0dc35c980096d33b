"""Reading a simulation: every mistake gets one line with the path and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickstream_contract.document import (
    dump_simulation,
    parse_simulation,
    resolve_personas,
    simulation_from_resource,
)
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.personas import PERSONAS

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
    ("{name: shop}", "{name: blue/shop}", "metadata.name: 'blue/shop' is not allowed; it must"),
    (
        "{name: shop}",
        "{name: shop, namespace: a/b}",
        "metadata.namespace: 'a/b' is not allowed; it",
    ),
    ("{name: shop}", "{name: shop, namespace: ''}", "metadata.namespace: '' is not allowed; it"),
    ("{name: shop}", "{name: shop, namespace: 7}", "metadata.namespace: 7 is not allowed; it must"),
    (
        "seed: 42",
        "seed: 42\n  kafka: {bootstrapServers: 'a:99999'}",
        "spec.kafka.bootstrapServers: 'a:99999' is not allowed; up to 16 addresses host:port",
    ),
    (
        "seed: 42",
        "seed: 42\n  kafka: {clusterRef: {name: " + "x" * 64 + "}}",
        "it must have at most 63 characters",
    ),
    ("seed: 42", "seed: 42\n  namespace: red", "spec.namespace: 'unknown field' is not allowed"),
    ("kind: ClickstreamSimulation", "kind: Pod", "kind: 'Pod' is not allowed"),
    ("spec:", "specs:", "specs: 'unknown field'"),
    ("spec:", "spec: [}", "document, line 5"),
    ("seed: 42", "seed: 42\n  seed: 43", "document, line 7: 'seed' is not allowed; each key once"),
    ("seed: 42", "seeds: 42", "did you mean seed? known fields: seed, rate, userMix"),
    ("weight: 1", "wait: 1", "spec.userMix[0].wait: 'unknown field' is not allowed; did you mean"),
    ("weight: 1", "xyz: 1", "not allowed; known fields: persona, weight"),
    ("seed: 42", "seed: 42\n  catalog: {product: 1}", "spec.catalog.product: 'unknown field'"),
    ("seed: 42", "seed: 42\n  backfill: {day: 1}", "did you mean days? known fields: days"),
    ("  seed: 42\n", "", "spec.seed: it must be there"),
    ("seed: 42", "seed: -1", "spec.seed: -1 is not allowed; it must be at least 0"),
    ("seed: 42", "seed: 42\n  suspend: 1", "spec.suspend: 1 is not allowed; it must be true or"),
    ("Browser", "7", "spec.userMix[0].persona: 7 is not allowed; it must be a text"),
    ("[{persona: Browser, weight: 1}]", "[]", "spec.userMix: [] is not allowed; it must have"),
    ("[{persona: Browser, weight: 1}]", "x", "spec.userMix: 'x' is not allowed; it must be a list"),
    ("{eventsPerSecond: 100}", "7", "spec.rate: 7 is not allowed; it must be a mapping"),
    ("name: shop", "name: " + 64 * "a", "it must have at most 63 characters"),
    ("metadata: {name: shop}", "metadata: 7", "metadata: 7 is not allowed; it must hold at least"),
    ("metadata: {name: shop}\n", "", "metadata: it must hold at least a name"),
    ("metadata: {name: shop}", "metadata: {labels: {}}", "metadata.name"),
    ("{name: shop}", "{name: shop, labels: [a]}", "metadata.labels: ['a'] is not allowed; it must"),
    ("{name: shop}", "{name: shop, annotations: [a]}", "metadata.annotations: ['a'] is not"),
    ("v1alpha1", "v1", "apiVersion: 'clickstream.dev/v1' is not allowed; it must be clickstream"),
    ("kind: ClickstreamSimulation\n", "", "kind: it must be ClickstreamSimulation"),
]


@pytest.mark.parametrize(("old", "new", "says"), BAD, ids=[row[1][:50] for row in BAD])
def test_mistake_is_named_with_path(old: str, new: str, says: str) -> None:
    """One line says where a mistake is, what is there and what may be there."""
    assert old in GOOD

    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(GOOD.replace(old, new, 1))

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("", "document", "'0 documents'"),
        ("42", "document", "42"),
        ("a: b: c", "document, line 1", "'mapping values are not allowed here'"),
        ("- x", "document", "['x']"),
        ("---\na: 1\n---\nb: 2", "document", "'2 documents'"),
        ("\x00", "document", "'cannot be read'"),
        ("a: &x [*x]", "apiVersion", "None"),
        ("x" * 262_145, "document", "'262145 characters'"),
        ("é" * 131_073, "document", "'131073 characters'"),
        ("a: &a [1]\nb: [" + "*a," * 65 + "]", "document", "'aliases'"),
        ("a: &a [1]\nb: [" + "*a," * 64 + "]", "apiVersion", "None"),
        ("[" * 20_000, "document", "'cannot be read'"),
        ("!!python/object/apply:os.system [id]", "document, line 1", None),
        (GOOD + "? [a]\n: b\n", "document, line 9", "'a key'"),
        ("a: 2026-13-45", "document", "'cannot be read'"),
    ],
    ids=["empty", "number", "no yaml", "list", "two", "nul", "cycle", "huge", "bytes", "bomb",
         "aliases", "deep", "code", "key", "date"],
)  # fmt: skip
def test_other_text_is_refused(text: str, path: str, value: str | None) -> None:
    """Whatever the text, it is a SimulationInvalid with its place and nothing else."""
    with pytest.raises(SimulationInvalid) as caught:
        parse_simulation(text)

    assert caught.value.path == path
    assert value in {None, caught.value.value}


@pytest.mark.parametrize("ending", ["---\n", "---\n---\n", "---\n# the end\n"])
def test_empty_last_document_is_ignored(ending: str) -> None:
    """A separator behind the simulation begins no second document."""
    assert parse_simulation(GOOD + ending).name == "shop"


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("seed: 42", "seed: 42\n  countries: [{code: NO, weight: 1}]", "spec.countries[0].code"),
        ("seed: 42", "on: 42", "document, line 6"),
        ("{name: shop}", "{name: shop, labels: {yes: a}}", "document, line 4"),
    ],
)
def test_yaml_booleans_are_explained(old: str, new: str, path: str) -> None:
    """Where YAML reads a text as true or false, the error says so."""
    with pytest.raises(
        SimulationInvalid, match=r"YAML reads NO.* write the text in quotes"
    ) as caught:
        parse_simulation(GOOD.replace(old, new))
    assert caught.value.path == path


def test_largest_document_is_read() -> None:
    """A document of exactly 256 KiB is read."""
    text = GOOD + "#" * (262_144 - len(GOOD))

    assert parse_simulation(text).name == "shop"


def test_merged_keys_are_read() -> None:
    """YAML's merge key may come beside the keys that it brings."""
    text = GOOD.replace("{eventsPerSecond: 100}", "{<<: {eventsPerSecond: 100}, curve: Weekly}")

    assert parse_simulation(text).spec.rate.curve == "Weekly"


def test_endless_persona_is_refused() -> None:
    """A simulation whose sessions could not end would fill the memory."""
    stuck = "{name: Bot, basedOn: Bot, transitions: {view_item: {exit: 0}, page_view: {exit: 0},"
    stuck += " view_item_list: {exit: 0}}}"
    text = GOOD.replace("Browser", "Bot") + f"  personas: [{stuck}]\n"

    with pytest.raises(SimulationInvalid, match="a way to the exit") as caught:
        parse_simulation(text)

    assert caught.value.path == "spec.personas, Bot.transitions.session_start"


@pytest.mark.parametrize(
    "transitions",
    [
        "{search: {search: 0, view_item_list: 0, exit: 0}}",
        "{search: {search: 1, view_item_list: 1, exit: 0}}",
        "{search: {search: 0, view_item_list: 0, exit: 1}}",
    ],
    ids=["nowhere", "through a list", "at once"],
)
def test_step_may_lead_out_indirectly(transitions: str) -> None:
    """A step ends a session by the exit, by a way to it, or by having no step at all."""
    own = f"{{name: Own, basedOn: Buyer, transitions: {transitions}}}"

    assert parse_simulation(GOOD + f"  personas: [{own}]\n").spec.personas[0].name == "Own"


@pytest.mark.parametrize("path", SIMULATIONS, ids=[path.stem for path in SIMULATIONS])
def test_shipped_simulation_is_valid(path: Path) -> None:
    """Every file in k8s/simulations parses, and comes back the same from its dump."""
    simulation = parse_simulation(path.read_text(encoding="utf-8"))

    assert parse_simulation(dump_simulation(simulation)) == simulation


def test_dump_keeps_labels() -> None:
    """A dump has name, labels and specification, in order and without absent fields."""
    text = GOOD.replace("{name: shop}", "{name: shop, labels: {team: növ, size: 12:30}}")
    simulation = parse_simulation(text)

    dump = dump_simulation(simulation)

    assert simulation.labels == {"team": "növ", "size": "750"}
    assert parse_simulation(dump) == simulation
    assert dump.startswith(
        "apiVersion: clickstream.dev/v1alpha1\nkind: ClickstreamSimulation\n"
        "metadata:\n  name: shop\n  labels:\n    team: növ\n"
    )
    assert "backfill" not in dump
    assert "labels" not in dump_simulation(parse_simulation(GOOD))


def test_namespace_is_read_and_dumped() -> None:
    """A file may have a namespace; labels and annotations cannot give it another one."""
    more = "labels: {namespace: red}, annotations: {namespace: red, clickstream.dev/namespace: red}"
    text = GOOD.replace("{name: shop}", f"{{name: shop, namespace: blue, {more}}}")

    simulation = parse_simulation(text)

    assert simulation.full_name == "blue/shop"
    assert parse_simulation(dump_simulation(simulation)) == simulation
    assert parse_simulation(GOOD).full_name == "shop"
    assert "namespace" not in dump_simulation(parse_simulation(GOOD))


def test_preset_keeps_its_numbers() -> None:
    """Without personas of its own a simulation can name the presets, as they are."""
    assert resolve_personas(parse_simulation(GOOD).spec) == PERSONAS


def test_own_persona_inherits_the_rest() -> None:
    """A persona overrides what it names; the rest stays the preset's."""
    own = "{name: Slow, basedOn: Buyer, thinkMedianMilliseconds: 60000}"
    simulation = parse_simulation(GOOD + f"  personas: [{own}]\n")

    personas = resolve_personas(simulation.spec)

    assert list(personas) == [*PERSONAS, "Slow"]
    assert personas["Slow"].think_median_seconds == 60.0
    assert personas["Slow"].think_sigma == personas["Buyer"].think_sigma
    assert personas["Slow"].transitions == personas["Buyer"].transitions


def test_own_persona_overrides_every_number() -> None:
    """Each number of a persona and each single step can be replaced, also by 0."""
    own = "{name: Bot, basedOn: Buyer, thinkSigmaPermille: 1500, returnPermille: 0,"
    own += " priceSensePermille: 7, weekendPermille: 2000, transitions: {search: {exit: 0}},"
    own += f" hourly: {[*range(24)]}}}"

    bot = resolve_personas(parse_simulation(GOOD + f"  personas: [{own}]\n").spec)["Bot"]

    assert bot.name == "Bot"
    assert bot.think_sigma == 1.5
    assert (bot.return_permille, bot.price_sense_permille, bot.weekend_permille) == (0, 7, 2_000)
    assert bot.hourly == tuple(range(24))
    assert not bot.is_crawler
    assert bot.transitions["search"] == {"search": 140, "view_item_list": 800, "exit": 0}


def test_annotations_are_moments() -> None:
    """Annotations say when a change holds and when a run continued, in Unix seconds."""
    said = "{clickstream.dev/effective-from: 2026-11-27T08:00:00Z, "
    said += "clickstream.dev/resumed-at: '2026-11-27T09:00:00+01:00', other: 7}"
    text = GOOD.replace("{name: shop}", f"{{name: shop, annotations: {said}}}")

    simulation = parse_simulation(text)

    assert simulation.effective_from_seconds == 1_795_766_400
    assert simulation.resumed_at_seconds == 1_795_766_400


@pytest.mark.parametrize("moment", ["soon", "'2026-11-27T09:00:00'", "7"])
@pytest.mark.parametrize("name", ["effective-from", "resumed-at"])
def test_other_moment_is_refused(name: str, moment: str) -> None:
    """What is no time with its zone is refused by the annotation's name."""
    said = f"{{clickstream.dev/{name}: {moment}}}"
    text = GOOD.replace("{name: shop}", f"{{name: shop, annotations: {said}}}")

    with pytest.raises(
        SimulationInvalid, match=re.escape(f"metadata.annotations.clickstream.dev/{name}: ")
    ):
        parse_simulation(text)


def test_resource_is_read_like_yaml() -> None:
    """A resource from the Kubernetes API is read as YAML is, without what its server adds."""
    resource = {
        "apiVersion": "clickstream.dev/v1alpha1",
        "kind": "ClickstreamSimulation",
        "metadata": {"name": "shop", "uid": "7", "annotations": {"other": "x"}, "labels": None},
        "spec": {
            "seed": 42,
            "rate": {"eventsPerSecond": 100},
            "userMix": [{"persona": "Browser", "weight": 1}],
        },
        "status": {"workers": 1},
    }

    assert simulation_from_resource(resource) == parse_simulation(GOOD)
    with pytest.raises(SimulationInvalid, match="spec: it must be there"):
        simulation_from_resource({key: resource[key] for key in resource if key != "spec"})
