"""The simulation's fields: defaults, bounds on both sides, and what contradicts what."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.document import API_VERSION, KIND, simulation_from_resource
from clickstream_contract.personas import PERSONAS
from clickstream_contract.simulation import FIXED_FIELDS, Simulation, SimulationSpec
from pydantic import ValidationError

SHARE = {"persona": "Browser", "weight": 1}
LEAST: dict[str, Any] = {"seed": 1, "rate": {"eventsPerSecond": 10}, "userMix": [SHARE]}


def _spec(**changes: object) -> SimulationSpec:
    return SimulationSpec.model_validate({**LEAST, **changes})


def _nested(path: str, value: object) -> dict[str, Any]:
    """Return the changes that put a value at a path such as ``catalog.products``."""
    name, _, rest = path.partition(".")
    return {name: _nested(rest, value) if rest else value}


def _refused(**changes: object) -> tuple[str, dict[str, Any]]:
    """Return kind, path, value and allowed values of the first error."""
    with pytest.raises(ValidationError) as caught:
        _spec(**changes)
    error = caught.value.errors()[0]
    return error["type"], error.get("ctx", {})


def _own(**changes: object) -> list[dict[str, Any]]:
    return [{"name": "Own", "basedOn": "Buyer", **changes}]


def test_least_simulation_has_defaults() -> None:
    """Seed, rate and mix are enough; the rest has defaults."""
    spec = _spec()

    assert (spec.users, spec.shards, spec.suspend) == (100_000, 16, False)
    assert (spec.catalog.products, spec.catalog.categories) == (1_000, 25)
    assert [(row.code, row.weight) for row in spec.countries] == [("DE", 400), ("US", 600)]
    assert (spec.devices.mobile, spec.devices.desktop, spec.devices.tablet) == (600, 350, 50)
    assert (spec.personas, spec.backfill, spec.stop_after) == ((), None, None)
    assert (spec.output, spec.event_output.is_stored) == (None, True)
    assert (spec.workers.count, spec.workers.max) == (None, None)
    assert spec.faults.model_dump() == {
        "duplicate_permille": 0,
        "late_permille": 0,
        "max_lateness_seconds": 600,
        "corrupt_permille": 0,
        "future_permille": 0,
        "loss_permille": 0,
    }
    assert set(spec.kafka.model_dump().values()) == {None}


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [
        ("seed", 0, 2**53 - 1),
        ("users", 16, 10_000_000),
        ("shards", 1, 1_024),
        ("catalog.products", 25, 200_000),
        ("catalog.categories", 1, 500),
        ("devices.mobile", 0, 1_000_000),
        ("backfill.days", 1, 400),
        ("stopAfter.events", 1, 1_000_000_000_000),
        ("faults.maxLatenessSeconds", 1, 86_400),
        ("faults.duplicatePermille", 0, 1_000),
        ("faults.latePermille", 0, 1_000),
        ("faults.corruptPermille", 0, 1_000),
        ("faults.futurePermille", 0, 1_000),
        ("faults.lossPermille", 0, 1_000),
        ("workers.count", 1, 1_024),
        ("workers.max", 1, 1_024),
    ],
)
def test_number_has_bounds(path: str, low: int, high: int) -> None:
    """Both bounds are taken, and what lies one beyond them is refused."""
    for value in (low, high):
        _spec(**_nested(path, value))
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError):
            _spec(**_nested(path, value))


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("thinkMedianMilliseconds", 200, 600_000),
        ("thinkSigmaPermille", 0, 3_000),
        ("returnPermille", 0, 1_000),
        ("priceSensePermille", 0, 1_000),
        ("weekendPermille", 1, 10_000),
    ],
)
def test_persona_number_has_bounds(field: str, low: int, high: int) -> None:
    """A persona's numbers have bounds on both sides."""
    for value in (low, high):
        _spec(personas=_own(**{field: value}))
    for value in (low - 1, high + 1):
        with pytest.raises(ValidationError):
            _spec(personas=_own(**{field: value}))


@pytest.mark.parametrize(
    ("field", "low", "high"), [("userMix", 1, 50), ("personas", 0, 50), ("countries", 1, 22)]
)
def test_list_has_bounds(field: str, low: int, high: int) -> None:
    """Lists hold as many entries as they may, and not one more or less."""
    rows: list[dict[str, Any]] = [
        {"persona": f"P{number}", "weight": 1}
        if field == "userMix"
        else {"name": f"P{number}", "basedOn": "Buyer"}
        for number in range(high + 1)
    ]
    personas = [{"name": f"P{number}", "basedOn": "Buyer"} for number in range(50)]
    if field == "countries":
        codes = [*COUNTRIES, "DE"]
        rows = [{"code": code, "weight": 1} for code in codes]
    more = {"personas": personas} if field == "userMix" else {}

    assert (
        len(
            getattr(
                _spec(**more, **{field: rows[:high]}), {"userMix": "user_mix"}.get(field, field)
            )
        )
        == high
    )
    assert _refused(**more, **{field: rows})[0] == "too_long"
    if low:
        assert _refused(**{field: []})[0] == "too_short"


def test_mix_needs_a_weight() -> None:
    """A mix or a list of countries whose weights are all 0 is refused."""
    for field, row in (("userMix", {"persona": "Bot"}), ("countries", {"code": "DE"})):
        kind, context = _refused(**{field: [{**row, "weight": 0}]})
        assert kind == "refused"
        assert (context["path"], context["value"]) == (field, 0)
        assert context["allowed"] == "at least one weight above 0"


def test_name_comes_once() -> None:
    """A persona or a country that comes twice is refused at its second place."""
    for field, key, name in (("userMix", "persona", "Bot"), ("countries", "code", "DE")):
        _, context = _refused(**{field: [{key: name, "weight": 1}, {key: name, "weight": 2}]})
        assert context == {
            "path": f"{field}[1].{key}",
            "value": name,
            "allowed": "each name once",
        }


def test_mix_names_known_personas() -> None:
    """A mix names presets and the simulation's own personas."""
    mix = [SHARE, {"persona": "Own", "weight": 2}]

    assert [row.persona for row in _spec(userMix=mix, personas=_own()).user_mix] == [
        "Browser",
        "Own",
    ]
    _, context = _refused(userMix=mix)
    assert (context["path"], context["value"]) == ("userMix[1].persona", "Own")
    assert context["allowed"] == "one of " + ", ".join(PERSONAS)


def test_own_persona_comes_once() -> None:
    """Two personas of one name are refused."""
    _, context = _refused(personas=[*_own(), *_own()])

    assert context == {"path": "personas", "value": ["Own", "Own"], "allowed": "each name once"}


def test_each_shard_has_a_user() -> None:
    """There are at least as many users as shards."""
    assert _spec(users=3, shards=3).users == 3
    _, context = _refused(users=2, shards=3)
    assert context["allowed"] == "at least one user per shard: 3"


def test_categories_are_no_more_than_products() -> None:
    """Each category has at least one product."""
    assert _spec(catalog={"products": 3, "categories": 3}).catalog.products == 3
    _, context = _refused(catalog={"products": 3, "categories": 4})
    assert (context["path"], context["value"]) == ("categories", 4)


def test_country_must_be_known() -> None:
    """A code that is no known country is refused."""
    kind, context = _refused(countries=[{"code": "XX", "weight": 1}])

    assert kind == "refused"
    assert context["value"] == "XX"
    assert context["allowed"].startswith("one of AT, AU")


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("currency", "JPY", "one of EUR, AUD"), ("locale", "ja-JP", "one of de-AT, en-AU")],
)
def test_shop_has_known_words(field: str, value: str, allowed: str) -> None:
    """A currency without hundredths, and a language without words, are refused with the others."""
    kind, context = _refused(catalog={field: value})

    assert kind == "refused"
    assert context["value"] == value
    assert context["allowed"].startswith(allowed)


@pytest.mark.parametrize("device", ["mobile", "desktop", "tablet"])
def test_one_device_is_enough(device: str) -> None:
    """Any one device may be the only one, but there must be one."""
    none = {"mobile": 0, "desktop": 0, "tablet": 0}

    _spec(devices={**none, device: 1})

    assert _refused(devices=none)[1]["allowed"] == "at least one weight above 0"


@pytest.mark.parametrize("content", [{}, {"duration": "1m", "events": 5}])
def test_end_is_time_or_events(content: dict[str, object]) -> None:
    """A run ends after a time or after events, not both and not neither."""
    assert _refused(stopAfter=content)[1]["allowed"] == "exactly one of duration and events"


def test_end_is_read() -> None:
    """Either end is read."""
    for content, found in (({"duration": "1m"}, (60, None)), ({"events": 5}, (None, 5))):
        stop_after = _spec(stopAfter=content).stop_after
        assert stop_after is not None
        assert (stop_after.duration_seconds, stop_after.events) == found


def test_faults_share_all_events() -> None:
    """All five shares together may reach 1000 permille and not one more."""
    shares = {f"{name}Permille": 200 for name in ("duplicate", "late", "corrupt", "future", "loss")}

    assert _spec(faults=shares).faults.loss_permille == 200
    for name in shares:
        _, context = _refused(faults={**shares, name: 201})
        assert context["value"] == 1_001
        assert context["allowed"] == "shares that add up to 1000 permille at most"


def test_kafka_is_named_once() -> None:
    """Kafka is a cluster by reference or a list of addresses, not both."""
    reference = {"clusterRef": {"name": "kafka"}}
    servers = {"bootstrapServers": "a:1,b:65535"}

    assert _spec(kafka=reference).kafka.cluster_ref is not None
    assert _spec(kafka=servers).kafka.bootstrap_servers == "a:1,b:65535"
    assert _refused(kafka={**reference, **servers})[1]["allowed"] == (
        "one of clusterRef and bootstrapServers, not both"
    )


@pytest.mark.parametrize("name", ["x" * 64, "a.b", "A", ""])
def test_cluster_is_a_label(name: str) -> None:
    """A cluster's name is the value of a label in the workers' policy."""
    assert _spec(kafka={"clusterRef": {"name": "x" * 63}}).kafka.cluster_ref is not None
    assert _refused(kafka={"clusterRef": {"name": name}})[0].startswith("string_")


@pytest.mark.parametrize(
    "servers",
    [
        "a", "a:", "a:123456", "a:1,", "a b:1", "a:1," * 16 + "b:1", "a:0", "a:65536", "a:99999",
        "a:09092", "a..b:1", ".a:1", "-a:1", "x" * 64 + ":1",
    ],
)  # fmt: skip
def test_addresses_have_ports(servers: str) -> None:
    """Addresses are at most 16 of a host's name and a port that exists, separated by commas."""
    assert _refused(kafka={"bootstrapServers": servers})[0] == "string_pattern_mismatch"


def test_workers_are_counted_one_way() -> None:
    """Workers have a count or a maximum, not both."""
    assert _spec(workers={"max": 3}).workers.max == 3
    assert (
        _refused(workers={"count": 1, "max": 2})[1]["allowed"] == "one of count and max, not both"
    )


def test_persona_has_a_known_base() -> None:
    """A persona is made from a preset, not from another one of the simulation's own."""
    _, context = _refused(personas=_own(basedOn="Own"))

    assert (context["path"], context["value"]) == ("basedOn", "Own")
    assert context["allowed"] == "one of " + ", ".join(PERSONAS)


def test_transitions_must_be_legal() -> None:
    """A step that the journey does not have is refused, with those it has."""
    assert _spec(personas=_own(transitions={"search": {"exit": 5}})).personas[0].transitions == {
        "search": {"exit": 5}
    }
    _, context = _refused(personas=_own(transitions={"search": {"purchase": 1}}))
    assert context == {
        "path": "transitions.search",
        "value": "purchase",
        "allowed": "one of search, view_item_list, exit",
    }
    _, context = _refused(personas=_own(transitions={"teleport": {"purchase": 1}}))
    assert context["allowed"] == "one of a step that an event names"


def test_hours_are_twenty_four() -> None:
    """Traffic by the hour has 24 weights of which at least one is above 0."""
    hours = [*(23 * [0]), 1]

    assert _spec(personas=_own(hourly=hours)).personas[0].hourly == tuple(hours)
    assert _refused(personas=_own(hourly=24 * [0]))[1]["path"] == "hourly"
    assert _refused(personas=_own(hourly=hours[1:]))[0] == "too_short"
    assert _refused(personas=_own(hourly=[*hours, 1]))[0] == "too_long"


@pytest.mark.parametrize("name", ["own", "1", "A-b", "", "A" * 64])
def test_persona_name_is_a_word(name: str) -> None:
    """A persona's name begins with a capital letter and has letters and digits, at most 63."""
    assert _spec(personas=_own(name="A" * 63)).personas[0].name == "A" * 63
    assert _refused(personas=_own(name=name))[0].startswith("string_")


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a" * 64])
def test_name_is_a_label(name: str) -> None:
    """A simulation's name is a DNS label of at most 63 characters."""
    assert Simulation.model_validate({"name": "a" * 63, "spec": LEAST}).name == "a" * 63
    with pytest.raises(ValidationError):
        Simulation.model_validate({"name": name, "spec": LEAST})


@pytest.mark.parametrize("namespace", ["", "-a", "a-", "A", "a.b", "a/b", "a" * 64])
def test_namespace_is_a_label(namespace: str) -> None:
    """A namespace is a DNS label of at most 63 characters, as Kubernetes has it."""
    longest = {"name": "shop", "namespace": "a" * 63, "spec": LEAST}
    assert Simulation.model_validate(longest).namespace == "a" * 63
    with pytest.raises(ValidationError):
        Simulation.model_validate({**longest, "namespace": namespace})


def test_fixed_fields_exist() -> None:
    """What cannot change in a run are fields of the specification."""
    assert FIXED_FIELDS == (
        "seed", "users", "catalog", "countries", "devices", "experiments", "incidents",
        "random_incidents", "tastes", "backfill", "output", "shards",
    )  # fmt: skip
    assert set(FIXED_FIELDS) < set(SimulationSpec.model_fields)


def test_overrides_replace_rate_and_end() -> None:
    """Rate and end are replaced where they are given; the rest of the simulation stays."""
    resource = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": "shop"},
        "spec": {
            **LEAST,
            "rate": {"eventsPerMinute": 6, "curve": "Weekly"},
            "stopAfter": {"events": 5},
        },
    }
    given = simulation_from_resource(resource)

    changed = given.with_overrides(duration_seconds=90, events_per_second=7)

    counted = given.with_overrides(events=9)

    assert given.with_overrides() == given
    assert counted.spec.stop_after is not None
    assert counted.spec.stop_after.events == 9
    assert changed.spec.rate.per_second == 7
    assert changed.spec.rate.events_per_minute is None
    assert changed.spec.rate.curve == "Weekly"
    assert changed.spec.stop_after is not None
    assert changed.spec.stop_after.duration_seconds == 90
    assert changed.spec.stop_after.events is None
    assert changed.spec.users == given.spec.users
