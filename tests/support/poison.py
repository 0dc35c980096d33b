"""Records that are no events, one of each kind.

Owns what is wrong with each, and the reason that the contract has for it.
"""

from __future__ import annotations

import json

from clickstream_contract.events import MAX_EVENT_BYTES
from clickstream_streaming.core.sample import sample_event

__all__ = ["poison"]


def poison() -> dict[str, tuple[bytes | None, str]]:
    """Return, by kind, the record's value and the reason for which it is rejected."""
    event = sample_event("view_item")

    def changed(**values: object) -> bytes:
        return json.dumps(event | values).encode()

    return {
        "no JSON": (b"<html>", "not_json"),
        "an array": (b"[1, 2]", "not_json"),
        "empty": (b"", "not_json"),
        "cut off": (changed()[:200], "not_json"),
        "no value": (None, "no_value"),
        "bad UTF-8": (changed().replace(b'"city": "', b'"city": "\xff\xfe'), "bad_encoding"),
        "NUL": (changed(city="a\x00b"), "bad_encoding"),
        "text for a number": (changed(shard="many"), "wrong_type"),
        "number for a text": (changed(user_id=5), "wrong_type"),
        "object for a text": (changed(user_id={"a": 1}), "wrong_type"),
        "too big a number": (changed(price_minor=2**70), "wrong_type"),
        "no UUID": (changed(event_id="1234"), "wrong_type"),
        "no time": (changed(event_time="yesterday"), "wrong_type"),
        "no user": (changed(user_id=None), "missing_field"),
        "no product": (changed(product_id=None), "missing_field"),
        "unknown name": (changed(event_name="teleport"), "unknown_value"),
        "unknown version": (changed(schema_version=3), "unknown_version"),
        "below zero": (changed(price_minor=-1), "out_of_range"),
        "long text": (changed(city="x" * 5000), "out_of_range"),
        "the future": (changed(event_time="2199-01-01T00:00:00.000Z"), "future_time"),
        "1 MiB": (changed(padding="x" * 2**20), "oversized"),
        "just too long": (changed(padding="x" * MAX_EVENT_BYTES), "oversized"),
    }
