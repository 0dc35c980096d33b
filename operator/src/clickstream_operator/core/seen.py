"""What is known of the cluster's objects: the newest version of each that anybody has shown.

Owns which of two versions is the newer one: a watch tells late what an answer to a write has
told already, and a write's answer may come after the watch has told of the end. It does not
know where versions come from.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from clickstream_operator.core.observed import SIMULATION_LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["Key", "Seen", "key_of"]

Key = tuple[str, str]
"""Namespace and name of a simulation."""
_ENDED = 10_000
"""Objects remembered as gone; far more than can end while an answer is on its way."""


def key_of(body: Mapping[str, Any]) -> Key:
    """Return which simulation an object belongs to."""
    metadata = body["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(SIMULATION_LABEL, "")


class Seen:
    """Objects by the simulation they belong to, kind and name."""

    def __init__(self) -> None:
        self._rows: dict[Key, dict[tuple[str, str], Mapping[str, Any]]] = {}
        self._ended: OrderedDict[str, int] = OrderedDict()

    def put(self, key: Key, kind: str, body: Mapping[str, Any]) -> None:
        """Take a version of an object, unless a newer one is known or it has ended."""
        metadata = {name: row for name, row in body["metadata"].items() if name != "managedFields"}
        # A watch tells of an end also where only a label was taken off: what comes later is there.
        if _version(metadata) <= self._ended.get(metadata["uid"], -1):
            return
        rows = self._rows.setdefault(key, {})
        known = rows.get((kind, metadata["name"]))
        if known is None or _version(known["metadata"]) <= _version(metadata):
            rows[kind, metadata["name"]] = {**body, "kind": kind, "metadata": metadata}

    def drop(self, key: Key, kind: str, body: Mapping[str, Any]) -> None:
        """Forget an object that has ended; another of its name is another object."""
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
        """Forget what a list does not have: its end was never told.

        Args:
            namespace: Where the list is of; empty for all namespaces.
            kind: The list's kind.
            version: The list's resource version; what is newer may be there all the same.
            uids: What it has.

        Returns:
            The simulations that something was forgotten of.
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
        """Return all objects of a simulation, in an order of their own."""
        return [row for _, row in sorted(self._rows.get(key, {}).items())]

    def keys(self) -> Iterable[Key]:
        """Return the simulations that have objects."""
        return list(self._rows)


def _version(metadata: Mapping[str, Any]) -> int:
    """Read a resource version; they grow with every write.

    https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    text = str(metadata.get("resourceVersion", "0"))
    return int(text) if text.isdecimal() else 0
