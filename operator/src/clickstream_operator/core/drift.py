"""Drift: whether an object in the cluster satisfies its desired state.

Additions of other writers are no drift: the container of a sidecar, an annotation of
``kubectl rollout restart``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["satisfies"]

_KEYS = ("name", "containerPort", "mountPath", "uid", "key", "port")
"""The keys that identify the entries of Kubernetes' lists."""


def satisfies(actual: Any, wanted: Any) -> bool:  # noqa: ANN401  any JSON
    """Return whether an object has every field of its desired state.

    An empty list, mapping or text may be missing: the API server drops those.
    """
    if isinstance(wanted, dict):
        if not isinstance(actual, dict):
            return not wanted and actual is None
        return all(satisfies(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(actual, list):
            return not wanted and actual is None
        return _satisfies_list(actual, wanted)
    return bool(actual == wanted or (actual is None and wanted in ("", 0, False)))


def _satisfies_list(actual: list[Any], wanted: list[Any]) -> bool:
    key = next((key for key in _KEYS if wanted and _tells_apart(key, wanted)), None)
    if key is None or not _tells_apart(key, actual):
        return len(actual) == len(wanted) and all(map(satisfies, actual, wanted))
    there = {row[key]: row for row in actual}
    return all(satisfies(there.get(row[key]), row) for row in wanted)


def _tells_apart(key: str, rows: list[Any]) -> bool:
    values = [row.get(key) for row in rows if isinstance(row, dict)]
    return (
        len(values) == len(rows)
        and all(isinstance(value, str | int) for value in values)
        and len(set(values)) == len(values)
    )
