"""A run is resumed only by a process that makes the same events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.simulation import Catalog as CatalogSpec
from clickstream_generator.core import world
from clickstream_generator.core.catalog import build_catalog
from clickstream_generator.core.fingerprint import (
    Fingerprint,
    check_fingerprint,
    take_fingerprint,
)
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import WorldChanged
from simulations import RUN_ID, START_SECONDS, carried, simulation
from worlds import small_catalog

if TYPE_CHECKING:
    from clickstream_generator.core.snapshot import Snapshot

_WRITTEN = Fingerprint("w", "s", {"faker": "39.0.0", "numpy": "2.4.1"})
_PRESENT = Fingerprint("w", "s", {"faker": "40.54.0", "numpy": "2.4.1"})


def _snapshot() -> Snapshot:
    source, shards = carried(users=64)
    source.take_due(START_SECONDS + 1, 10**9)
    return shards[0].snapshot()


def _resume(snapshot: Snapshot) -> None:
    resumed = Simulator(simulation(users=64), (0,), RUN_ID)
    resumed.begin(START_SECONDS, {0: snapshot})


def test_other_version_with_same_world_resumes() -> None:
    """A version is no difference by itself: only what it makes counts."""
    check_fingerprint(_WRITTEN, _PRESENT)


@pytest.mark.parametrize(
    ("present", "what"),
    [
        (replace(_PRESENT, world="other"), "names, cities, products"),
        (replace(_PRESENT, streams="other"), "random streams"),
    ],
)
def test_difference_is_named_with_its_cause(present: Fingerprint, what: str) -> None:
    """The error says what differs, which library has another version, and what to do."""
    with pytest.raises(WorldChanged, match=what) as refused:
        check_fingerprint(_WRITTEN, present)

    assert refused.value.changed == ["faker 39.0.0 -> 40.54.0"]
    assert "faker 39.0.0 -> 40.54.0" in str(refused.value)
    assert "numpy" not in str(refused.value)
    assert "start a new run" in str(refused.value)


def test_changed_data_need_no_changed_version() -> None:
    """If no version differs, the error names all versions."""
    with pytest.raises(
        WorldChanged, match=r"no version differs: event schema 2, faker 39\.0\.0, numpy 2\.4\.1"
    ):
        check_fingerprint(_WRITTEN, replace(_WRITTEN, world="other"))


def test_other_event_version_is_refused() -> None:
    """A run whose events have another version has other bytes; snapshots of before name none."""
    row = {"world": "w", "streams": "s", "libraries": {}}

    with pytest.raises(WorldChanged, match=r"other events .* \(event schema 1 -> 2\)"):
        check_fingerprint(Fingerprint.from_json(row), Fingerprint("w", "s", {}))

    assert Fingerprint.from_json(_WRITTEN.to_json()) == _WRITTEN


def test_changed_city_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faker's data with one more city: users would change city in mid-session."""
    snapshot = _snapshot()
    _resume(snapshot)
    names = world._city_names

    def others(locale: str, seed: int) -> list[str]:
        return ["Newtown", *names(locale, seed)[1:]]

    monkeypatch.setattr(world, "_city_names", others)

    with pytest.raises(WorldChanged, match="cities"):
        _resume(snapshot)


def test_planted_fingerprint_is_refused() -> None:
    """A snapshot that another library wrote names that library's version."""
    snapshot = _snapshot()
    planted = {"world": "other", "libraries": {"faker": "1.0"}}
    written = snapshot.header["fingerprint"] | planted

    with pytest.raises(WorldChanged, match=r"faker 1\.0 -> "):
        _resume(replace(snapshot, header={**snapshot.header, "fingerprint": written}))


def test_each_part_of_the_catalog_counts() -> None:
    """Another price, name, brand, order of popularity or search term is another world."""
    catalog = build_catalog(CatalogSpec(products=20, categories=3), seed=1)
    changed = [
        replace(catalog, category_names=("Odd", *catalog.category_names[1:])),
        replace(catalog, product_names=("Odd", *catalog.product_names[1:])),
        replace(catalog, product_brands=("Odd", *catalog.product_brands[1:])),
        replace(catalog, product_category=catalog.product_category[::-1]),
        replace(catalog, price_minor=catalog.price_minor + 1),
        replace(catalog, popularity=catalog.popularity[::-1]),
        replace(catalog, search_terms=("odd", *catalog.search_terms[1:])),
    ]

    worlds = {take_fingerprint(row, ()).world for row in (catalog, *changed)}

    assert len(worlds) == len(changed) + 1
    assert take_fingerprint(catalog, ("pool",)).world not in worlds


def test_fingerprint_stays_between_releases() -> None:
    """The same world has the hash of older releases; with another one no run could be resumed."""
    found = take_fingerprint(small_catalog(), ("pool",))

    assert found.world == "c104e8da6d6d9dc8603f0934495297686d1a2f39a227da5302cb70a99771a3d3"
    assert found.streams == "414b905ebbba54089e23b7d1684bea13bf6320c1c462b704e3868f2ff3cc8fdd"
