"""Sample records are valid events, one of each name."""

from __future__ import annotations

import json

import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES
from clickstream_streaming.core.sample import sample_event, sample_events

_ID = "00000000-0000-8000-8000-000000000001"
_TIME = "2020-01-31T12:00:00.000Z"
_EVERYWHERE = {
    "event_id": _ID, "event_time": _TIME, "sent_at": _TIME, "schema_version": 2,
    "simulation": "xx", "run_id": _ID, "shard": 1, "shard_seq": 1, "user_id": "xx",
    "session_id": _ID, "session_seq": 1, "persona": "xx", "country": "xx", "city": "xx",
    "language": "xx", "device": "mobile", "os": "xx", "browser": "xx", "channel": "xx",
    "page": "xx",
}  # fmt: skip


def test_sample_has_exact_values() -> None:
    """A purchase holds a plain value in each of its fields."""
    event = sample_event("purchase")

    assert event == _EVERYWHERE | {
        "event_name": "purchase",
        "cart_quantity": 1,
        "value_minor": 1,
        "currency": "EUR",
        "order_id": _ID,
        "items": [
            {
                "product_id": "xx",
                "product_name": "xx",
                "brand": "xx",
                "category": "xx",
                "quantity": 1,
                "price_minor": 1,
            }
        ],
    }


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_sample_has_its_fields_only(name: str) -> None:
    """An event has every field of its name, optional ones too, and no other."""
    event = sample_event(name)

    assert event.keys() == {field.name for field in EVENT_FIELDS if field.may_be_in(name)}


def test_samples_cover_every_name() -> None:
    """There is one JSON text for each event name, in the contract's order."""
    events = [json.loads(text) for text in sample_events()]

    assert events == [sample_event(name) for name in EVENT_NAMES]
    assert [event["event_name"] for event in events] == list(EVENT_NAMES)
