"""The watches of the cluster, with kopf: they fill :class:`ObjectCache` and queue keys.

Owns what is watched. It handles only events, so kopf writes no finalizer and no annotation, and
nothing waits for an operator that does not run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import kopf

from clickstream_operator.core.desired import MANAGED_BY
from clickstream_operator.core.kinds import CHILD_KINDS, POD, SIMULATION
from clickstream_operator.core.object_cache import key_of
from clickstream_operator.errors import ApiRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from clickstream_operator.core.kinds import Kind
    from clickstream_operator.core.object_cache import Key, ObjectCache
    from clickstream_operator.shell.api import Api

__all__ = ["forget_vanished", "kopf_settings", "registry_for"]

_WATCH_SECONDS = 300
_SILENCE_SECONDS = 70.0
_REQUEST_SECONDS = 30.0
_BACKOFFS_SECONDS = (0.5, 1.0, 2.0, 4.0)
_NOT_FOUND = 404
_OURS = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())


def registry_for(cache: ObjectCache, changed: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Return kopf's handlers.

    Args:
        cache: Receives every version of every object.
        changed: Receives the key of each changed simulation, once all objects are listed.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for kind in (SIMULATION, POD, *CHILD_KINDS.values()):
        _watch(kind, registry, cache, changed)
    return registry


def _watch(
    kind: Kind, registry: kopf.OperatorRegistry, cache: ObjectCache, changed: Callable[[Key], None]
) -> None:
    def key(body: Mapping[str, Any]) -> Key:
        if kind is SIMULATION:
            return body["metadata"]["namespace"], body["metadata"]["name"]
        return key_of(body)

    # kopf handles events once every index is full: no decision is made on half a listing.
    async def listed(body: kopf.Body, **_: object) -> None:
        cache.put(key(body), kind.kind, dict(body))

    async def happened(event: kopf.RawEvent, body: kopf.Body, **_: object) -> None:
        if event["type"] == "DELETED":
            cache.drop(key(body), kind.kind, body)
        changed(key(body))

    kopf.index(kind.group, kind.version, kind.plural, registry=registry, id=f"list-{kind.plural}")(
        listed
    )
    kopf.on.event(
        kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}"
    )(happened)


class _NoDifferences(kopf.DiffBaseStorage):
    """Keep no state of an object: no handler asks what has changed.

    kopf's usual storage copies every object at each event.
    """

    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:  # noqa: ARG002
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        pass


def kopf_settings(namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    """Return kopf's settings: no own events, no peering, and short time-outs for a dead watch."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = _NoDifferences()
    # An operator of some namespaces may read nothing outside of them.
    settings.scanning.disabled = bool(namespaces)
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.client_timeout = _WATCH_SECONDS + _REQUEST_SECONDS
    settings.watching.inactivity_timeout = _SILENCE_SECONDS
    settings.networking.request_timeout = _REQUEST_SECONDS
    # An operator that cannot watch ends soon; Kubernetes restarts it with fresh credentials.
    settings.networking.error_backoffs = _BACKOFFS_SECONDS
    for kind in (POD, *CHILD_KINDS.values()):
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = _OURS
    return settings


async def forget_vanished(
    api: Api,
    cache: ObjectCache,
    namespaces: tuple[str, ...],
    changed: Callable[[Key], None],
    executor: Executor,
) -> None:
    """Remove cached objects that the cluster does not have any more, kind by kind.

    A watch that has lost its place restarts with a list (410 Gone). It never delivers the end of
    the objects that ended in between.

    Raises:
        ApiRefused: A list cannot be had.
    """
    loop = asyncio.get_running_loop()
    for kind in (SIMULATION, POD, *CHILD_KINDS.values()):
        selector = "" if kind is SIMULATION else _OURS
        for namespace in namespaces or ("",):
            try:
                version, uids = await loop.run_in_executor(
                    executor, api.list_uids, kind, namespace, selector
                )
            except ApiRefused as error:
                if error.status != _NOT_FOUND:
                    raise
                continue  # a kind that this cluster does not have
            for key in cache.keep(namespace, kind.kind, version, uids):
                changed(key)


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401  kopf's keywords
    return kopf.login_via_client(**kwargs)
