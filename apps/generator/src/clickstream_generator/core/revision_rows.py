"""Revisions as JSON values, with each document once.

Owns their compact form. It stays text: a simulation takes milliseconds to parse or to write, and a
worker takes a snapshot of each shard every few seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["pack_rows", "unpack_rows"]


def pack_rows(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return values of :meth:`Revision.to_json` with each document once."""
    places: dict[str, int] = {}
    packed = [
        (
            row["until_seconds"],
            row["from_seconds"],
            places.setdefault(row["document"], len(places)),
        )
        for row in rows
    ]
    return {"documents": [*places], "rows": packed}


def unpack_rows(packed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the values of :func:`pack_rows`."""
    documents = packed["documents"]
    return [
        {
            "until_seconds": until_seconds,
            "from_seconds": from_seconds,
            "document": documents[place],
        }
        for until_seconds, from_seconds, place in packed["rows"]
    ]
