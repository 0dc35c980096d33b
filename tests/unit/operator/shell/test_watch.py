"""What kopf's handlers do with what the cluster shows."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import kopf
import pytest
from clickstream_operator.core.kinds import CHILD_KINDS, POD, SIMULATION, Kind
from clickstream_operator.core.object_cache import Key, ObjectCache
from clickstream_operator.errors import ApiRefused
from clickstream_operator.shell.watch import forget_vanished, kopf_settings, registry_for

if TYPE_CHECKING:
    from clickstream_operator.shell.api import Api

_OURS = "app.kubernetes.io/managed-by=clickstream-operator"


def _body(version: int = 1, **metadata: object) -> dict[str, Any]:
    usual = {"namespace": "load", "name": "x", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": {**usual, **metadata}}


def _handled(cache: ObjectCache, plural: str, *given: tuple[str, dict[str, Any]]) -> list[Key]:
    """Let kopf's handlers of a kind see events; return the keys that were queued."""
    changed: list[Key] = []
    registry = registry_for(cache, changed.append)

    async def run() -> None:
        for kind, body in given:
            for handler in registry._indexing.get_all_handlers():
                if handler.id == f"list-{plural}" and kind != "DELETED":
                    await cast("Any", handler.fn)(body=kopf.Body(cast("Any", body)))
            for watching in registry._watching.get_all_handlers():
                if watching.id == f"watch-{plural}":
                    await cast("Any", watching.fn)(
                        event={"type": kind}, body=kopf.Body(cast("Any", body))
                    )

    asyncio.run(run())
    return changed


def test_every_kind_is_watched() -> None:
    """The simulation, its pods and each kind of child are listed and watched."""
    registry = registry_for(ObjectCache(), lambda _key: None)
    plurals = {row.plural for row in (SIMULATION, POD, *CHILD_KINDS.values())}

    assert {row.id for row in registry._indexing.get_all_handlers()} == {
        f"list-{plural}" for plural in plurals
    }
    assert {row.id for row in registry._watching.get_all_handlers()} == {
        f"watch-{plural}" for plural in plurals
    }


def test_simulation_is_its_own_key() -> None:
    """A simulation is cached and queued by its name."""
    cache = ObjectCache()

    assert _handled(cache, "clickstreamsimulations", ("ADDED", _body())) == [("load", "x")]
    assert [row["kind"] for row in cache.of(("load", "x"))] == ["ClickstreamSimulation"]


def test_child_queues_its_simulation() -> None:
    """A child is kept and queued under the simulation that its label names."""
    cache, labels = ObjectCache(), {"clickstream.dev/simulation": "shop"}

    assert _handled(cache, "pods", ("ADDED", _body(labels=labels))) == [("load", "shop")]
    assert [row["kind"] for row in cache.of(("load", "shop"))] == ["Pod"]


def test_deleted_object_is_dropped() -> None:
    """An object's end removes it and queues its simulation."""
    cache, labels = ObjectCache(), {"clickstream.dev/simulation": "shop"}
    events = [("ADDED", _body(labels=labels)), ("DELETED", _body(2, labels=labels))]

    assert _handled(cache, "pods", *events) == [("load", "shop")] * 2
    assert cache.of(("load", "shop")) == []


def test_kopf_writes_nothing() -> None:
    """Peering and posting are off, and a dead watch is noticed soon."""
    settings = kopf_settings(())

    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert not settings.scanning.disabled
    assert settings.watching.server_timeout == 300
    assert settings.watching.client_timeout == 330
    assert settings.watching.inactivity_timeout == 70
    assert settings.networking.request_timeout == 30
    assert settings.networking.error_backoffs == (0.5, 1.0, 2.0, 4.0)


def test_namespaced_operator_scans_nothing() -> None:
    """An operator of some namespaces has no right to look at the cluster's."""
    assert kopf_settings(("load",)).scanning.disabled


def test_only_own_children_are_watched() -> None:
    """All kinds but the simulation are watched by the operator's label."""
    selectors = kopf_settings(()).watching.label_selectors

    assert len(selectors) == 1 + len(CHILD_KINDS)
    for row in (POD, *CHILD_KINDS.values()):
        assert selectors[row.group, row.version, row.plural] == _OURS


class _Lists:
    """An API server whose lists are all empty, at version 9."""

    def __init__(self, refusal: dict[str, int]) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self._refusal = refusal

    def list_uids(self, kind: Kind, namespace: str, selector: str) -> tuple[int, frozenset[str]]:
        """Return an empty list, or refuse."""
        self.asked.append((kind.kind, namespace, selector))
        if status := self._refusal.get(kind.kind):
            raise ApiRefused("GET", kind.path(namespace), status, "no")
        return 9, frozenset()


def _compared(
    cache: ObjectCache, namespaces: tuple[str, ...] = (), **refusal: int
) -> tuple[_Lists, set[Key]]:
    """Compare what is seen with empty lists; return the lists and the keys that changed."""
    lists, changed = _Lists(refusal), set[Key]()
    with ThreadPoolExecutor(1) as executor:
        asyncio.run(forget_vanished(cast("Api", lists), cache, namespaces, changed.add, executor))
    return lists, changed


def _known(*kinds: str) -> ObjectCache:
    cache = ObjectCache()
    for kind in kinds:
        cache.put(("load", kind.lower()), kind, _body(7, uid=kind))
    return cache


def test_vanished_objects_are_forgotten() -> None:
    """What no list has any more is dropped, and its simulation is queued."""
    cache = _known("Pod", "ClickstreamSimulation")

    lists, changed = _compared(cache)

    assert changed == {("load", "pod"), ("load", "clickstreamsimulation")}
    assert list(cache.keys()) == []
    assert lists.asked[0] == ("ClickstreamSimulation", "", "")
    assert set(lists.asked[1:]) == {(kind, "", _OURS) for kind in ("Pod", *CHILD_KINDS)}


def test_each_namespace_is_listed() -> None:
    """An operator of some namespaces lists each kind in each of them, and no other."""
    cache = _known("Pod")

    lists, changed = _compared(cache, ("a", "b"))

    assert changed == set()
    assert {namespace for _, namespace, _ in lists.asked} == {"a", "b"}
    assert len(lists.asked) == 2 * (2 + len(CHILD_KINDS))


def test_missing_kinds_are_skipped() -> None:
    """A kind that the cluster does not have keeps the others' lists from nothing."""
    cache = _known("PodMonitor", "Pod")

    _, changed = _compared(cache, PodMonitor=404)

    assert changed == {("load", "pod")}


def test_refused_list_is_raised() -> None:
    """A list that cannot be had is no list without objects."""
    cache = _known("Pod")

    with pytest.raises(ApiRefused, match="answers 403"):
        _compared(cache, Pod=403)
    assert len(cache.of(("load", "pod"))) == 1


def test_no_object_is_copied() -> None:
    """Kopf keeps no state of an object to compare it with; it would copy each at every event."""
    storage = kopf_settings(()).persistence.diffbase_storage
    body = kopf.Body(cast("Any", _body()))
    patch = kopf.Patch(body=body)

    storage.store(body=body, patch=patch, essence=storage.build(body=body))

    assert (storage.build(body=body), storage.fetch(body=body), patch) == ({}, None, {})
