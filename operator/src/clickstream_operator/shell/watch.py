"""Watching the cluster with kopf: what is there goes into :class:`Seen`, and keys are queued.

Owns what is watched. Only events are handled: kopf writes no finalizer and no annotation, so
that nothing waits for an operator that is away. It does not know what is done about anything.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import kopf

from clickstream_operator.core.desired import MANAGED_BY
from clickstream_operator.core.kinds import CHILD_KINDS, POD, SIMULATION
from clickstream_operator.core.seen import key_of
from clickstream_operator.errors import ApiRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor

    from clickstream_operator.core.kinds import Kind
    from clickstream_operator.core.seen import Key, Seen
    from clickstream_operator.shell.api import Api

__all__ = ["forget_vanished", "kopf_settings", "registry_for"]

_WATCH_SECONDS = 300
_SILENCE_SECONDS = 70.0
_REQUEST_SECONDS = 30.0
_BACKOFFS_SECONDS = (0.5, 1.0, 2.0, 4.0)
_NOT_FOUND = 404
_OURS = ",".join(f"{name}={value}" for name, value in MANAGED_BY.items())


def registry_for(seen: Seen, changed: Callable[[Key], None]) -> kopf.OperatorRegistry:
    """Return kopf's handlers.

    Args:
        seen: Told of every version of every object.
        changed: Told of each simulation that something happened to, once all is listed.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_login)
    for kind in (SIMULATION, POD, *CHILD_KINDS.values()):
        _watch(kind, registry, seen, changed)
    return registry


def _watch(
    kind: Kind, registry: kopf.OperatorRegistry, seen: Seen, changed: Callable[[Key], None]
) -> None:
    def key(body: Mapping[str, Any]) -> Key:
        if kind is SIMULATION:
            return body["metadata"]["namespace"], body["metadata"]["name"]
        return key_of(body)

    # Events are handled once every index is filled: nothing is decided on half a listing.
    async def listed(body: kopf.Body, **_: object) -> None:
        seen.put(key(body), kind.kind, dict(body))

    async def happened(event: kopf.RawEvent, body: kopf.Body, **_: object) -> None:
        if event["type"] == "DELETED":
            seen.drop(key(body), kind.kind, body)
        changed(key(body))

    kopf.index(kind.group, kind.version, kind.plural, registry=registry, id=f"list-{kind.plural}")(
        listed
    )
    kopf.on.event(
        kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}"
    )(happened)


def kopf_settings(namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    """Return how kopf shall behave: silent, alone, and quick to notice a dead watch."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.posting.enabled = False
    # A namespaced operator may look at nothing but its namespaces.
    settings.scanning.disabled = bool(namespaces)
    settings.watching.server_timeout = _WATCH_SECONDS
    settings.watching.client_timeout = _WATCH_SECONDS + _REQUEST_SECONDS
    settings.watching.inactivity_timeout = _SILENCE_SECONDS
    settings.networking.request_timeout = _REQUEST_SECONDS
    # An operator that cannot watch ends soon, and begins anew with fresh credentials.
    settings.networking.error_backoffs = _BACKOFFS_SECONDS
    for kind in (POD, *CHILD_KINDS.values()):
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = _OURS
    return settings


async def forget_vanished(
    api: Api,
    seen: Seen,
    namespaces: tuple[str, ...],
    changed: Callable[[Key], None],
    executor: Executor,
) -> None:
    """Compare what is known with what is there, kind by kind.

    A watch that has lost its place begins anew with a list (410 Gone), and is then never told of
    the end of what ended meanwhile.

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
            for key in seen.keep(namespace, kind.kind, version, uids):
                changed(key)


async def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401  kopf's keywords
    return kopf.login_via_client(**kwargs)
