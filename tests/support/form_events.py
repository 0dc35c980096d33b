"""Native records for tests of forms: one for each event name, and broken ones."""

from __future__ import annotations

import json
from functools import cache

from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.breaks import CORRUPT_FAULTS, break_json
from simulations import START_SECONDS, simulator

__all__ = ["broken_records", "native_records", "one_of_each"]

_SECONDS = 60


@cache
def native_records() -> list[bytes]:
    """Return some thousand events of a mixed shop, from one minute."""
    source = simulator("{eventsPerSecond: 200}", users=400)
    events = source.take_due(START_SECONDS + _SECONDS, 200 * _SECONDS)
    return source.encoder.encode(events, round(1_000 * (START_SECONDS + _SECONDS))).values


@cache
def one_of_each() -> dict[str, bytes]:
    """Return the longest record of each event name, by the name."""
    found: dict[str, bytes] = {}
    for value in native_records():
        name = json.loads(value)["event_name"]
        found[name] = max(found.get(name, b""), value, key=len)
    assert found.keys() == set(EVENT_NAMES)
    return found


def broken_records() -> dict[str, bytes | None]:
    """Return a purchase broken in each way, by the fault's name."""
    return {name: break_json(name, one_of_each()["purchase"]) for name in CORRUPT_FAULTS}
