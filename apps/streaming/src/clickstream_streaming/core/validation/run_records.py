"""The run records of ledger entries: JSON that PostgreSQL can store and merge.

Owns what the stream needs of a run record. It does not read the simulations in it: those of a later
version may have more fields.
"""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from clickstream_contract.run_truths import RUN_TRUTHS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType

    from clickstream_contract.run_truths import RunTruth

__all__ = ["read_run_record"]

_MOST_LEVELS = 40
"""A simulation has ten."""
_LONGEST_TEXT = 2_000
"""A scope names at most all countries, devices, systems, browsers, channels and personas."""
_LARGEST = 2.0**53
_YEAR_2000, _YEAR_3000 = 946_684_800, 32_503_680_000


def read_run_record(text: str) -> dict[str, Any] | None:
    """Return a run record with at most one row of each list; ``None`` if the text is none."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not _is_moment(record.get("start_seconds")):
        return None
    has_members = _has_at_most_one(record.get("revisions"), _is_revision) and all(
        _has_at_most_one(record.get(kind, []), partial(_is_truth, truth=truth))
        for kind, truth in RUN_TRUTHS.items()
    )
    return record if has_members and _is_storable(record, _MOST_LEVELS) else None


def _has_at_most_one(rows: object, is_row: Callable[[object], bool]) -> bool:
    return isinstance(rows, list) and len(rows) <= 1 and all(map(is_row, rows))


def _is_revision(row: object) -> bool:
    return isinstance(row, dict) and _is_moment(row.get("from_seconds"))


def _is_truth(row: object, truth: RunTruth) -> bool:
    """Return whether a value has what the views of the truth show."""
    return (
        isinstance(row, dict)
        and truth.members.keys() <= row.keys()
        and all(_has_type(row[name], kind) for name, kind in truth.members.items())
        and all(_is_moment(row[name]) for name in truth.members if name.endswith("_seconds"))
    )


def _has_type(value: object, kind: type[str | float] | UnionType) -> bool:
    """Return whether a value is a short text or a number, as its member has to be."""
    if kind is str:
        return isinstance(value, str) and len(value) <= _LONGEST_TEXT
    if value is None:
        return isinstance(value, kind)
    return type(value) in {int, float} and abs(value) < _LARGEST  # type: ignore[arg-type]


def _is_moment(value: object) -> bool:
    """Return whether a value is a time as Unix seconds."""
    return type(value) in {int, float} and _YEAR_2000 <= value < _YEAR_3000  # type: ignore[operator]


def _is_storable(value: object, levels: int) -> bool:
    """Return whether PostgreSQL can store a JSON value with so many levels."""
    if isinstance(value, dict):
        return levels > 0 and all(
            _is_storable(part, levels - 1) for pair in value.items() for part in pair
        )
    if isinstance(value, list):
        return levels > 0 and all(_is_storable(part, levels - 1) for part in value)
    if isinstance(value, str):
        return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value)
    return not isinstance(value, float) or math.isfinite(value)
