"""The operator's cache: the newest known version of each object of the cluster.

Owns the order of versions. A watch delivers a change later than the answer to a write, and the
answer to a write may come after the watch has delivered the object's end.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from clickstream_operator.core.observed import SIMULATION_LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["Key", "ObjectCache", "key_of"]

Key = tuple[str, str]
"""Namespace and name of a simulation."""
_ENDED = 10_000
"""How many ended objects are remembered; far more than can end during one call."""


def key_of(body: Mapping[str, Any]) -> Key:
    """Return the key of the simulation that an object belongs to."""
    metadata = body["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(SIMULATION_LABEL, "")


class ObjectCache:
    """The objects of each simulation, by kind and name."""

    def __init__(self) -> None:
        self._rows: dict[Key, dict[tuple[str, str], Mapping[str, Any]]] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    def put(self, key: Key, kind: str, body: Mapping[str, Any]) -> None:
        """Store a version of an object, unless a newer one is known or the object has ended."""
        metadata = {name: row for name, row in body["metadata"].items() if name != "managedFields"}
        # Kubernetes also sends DELETED when an object stops matching the selector. Accept the
        # object again if its resourceVersion is newer.
        if _version(metadata) <= self._ended.get(metadata["uid"], -1):
            return
        rows = self._rows.setdefault(key, {})
        known = rows.get((kind, metadata["name"]))
        if known is None or _version(known["metadata"]) <= _version(metadata):
            rows[kind, metadata["name"]] = {**body, "kind": kind, "metadata": metadata}

    def drop(self, key: Key, kind: str, body: Mapping[str, Any]) -> None:
        """Remove an object that has ended; an object with the same name and another uid stays."""
        uid, name = body["metadata"]["uid"], body["metadata"]["name"]
        self._ended[uid] = _version(body["metadata"])
        if len(self._ended) > _ENDED:
            self._ended.popitem(last=False)
        rows = self._rows.get(key, {})
        known = rows.get((kind, name))
        if known is not None and known["metadata"]["uid"] == uid:
            del rows[kind, name]
        if not rows:
            self._rows.pop(key, None)

    def keep(self, namespace: str, kind: str, version: int, uids: Collection[str]) -> set[Key]:
        """Remove the objects that a list does not contain: the watch missed their end.

        Args:
            namespace: The list's namespace; empty for all namespaces.
            kind: The list's kind.
            version: The list's resource version; a newer object is not in the list and stays.
            uids: The uids in the list.

        Returns:
            The keys of the simulations that lost an object.
        """
        gone = [
            (key, row)
            for key, rows in self._rows.items()
            for row in rows.values()
            if namespace in {"", key[0]} and row["kind"] == kind
            if row["metadata"]["uid"] not in uids and _version(row["metadata"]) <= version
        ]
        for key, row in gone:
            self.drop(key, kind, row)
        return {key for key, _ in gone}

    def of(self, key: Key) -> list[Mapping[str, Any]]:
        """Return all objects of a simulation, sorted by kind and name."""
        return [row for _, row in sorted(self._rows.get(key, {}).items())]

    def keys(self) -> Iterable[Key]:
        """Return the simulations that have objects."""
        return list(self._rows)


def _version(metadata: Mapping[str, Any]) -> int:
    """Return a resource version as a number; it grows with every write.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    text = str(metadata.get("resourceVersion", "0"))
    return int(text) if text.isdecimal() else 0
