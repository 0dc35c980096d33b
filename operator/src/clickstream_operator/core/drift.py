"""Whether an object in the cluster is as it is wanted.

Owns the comparison. What others added beside what we want is theirs and no drift: a sidecar's
container, an annotation of ``kubectl rollout restart``. It does not know any kind of object.
"""

from __future__ import annotations

from typing import Any

__all__ = ["holds"]

_KEYS = ("name", "containerPort", "mountPath", "uid", "key", "port")
"""By which the entries of Kubernetes' lists are told apart."""


def holds(actual: Any, wanted: Any) -> bool:  # noqa: ANN401  any JSON
    """Say whether all that is wanted is in what is there.

    An empty list, mapping or text that is wanted may be missing: the API server drops those.
    """
    if isinstance(wanted, dict):
        if not isinstance(actual, dict):
            return not wanted and actual is None
        return all(holds(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(actual, list):
            return not wanted and actual is None
        return _holds_list(actual, wanted)
    return bool(actual == wanted or (actual is None and wanted in ("", 0, False)))


def _holds_list(actual: list[Any], wanted: list[Any]) -> bool:
    key = next((key for key in _KEYS if wanted and _tells_apart(key, wanted)), None)
    if key is None or not _tells_apart(key, actual):
        return len(actual) == len(wanted) and all(map(holds, actual, wanted))
    there = {row[key]: row for row in actual}
    return all(holds(there.get(row[key]), row) for row in wanted)


def _tells_apart(key: str, rows: list[Any]) -> bool:
    values = [row.get(key) for row in rows if isinstance(row, dict)]
    return (
        len(values) == len(rows)
        and all(isinstance(value, str | int) for value in values)
        and len(set(values)) == len(values)
    )
