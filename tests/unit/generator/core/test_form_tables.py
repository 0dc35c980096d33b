"""The mapping tables: complete, without conflicts, and as the specifications want it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_rows import Form, conflict
from clickstream_generator.core.form_tables import FORMS
from form_events import one_of_each

ALL = [form for form in FORMS.values() if form.name != "native"]
ALL += [form.posted for form in ALL if form.posted is not None]
MONEY = [row.name for row in EVENT_FIELDS if row.name.endswith("_minor")]
PAYLOAD_KEYS = {
    "e", "p", "tv", "cs", "aid", "eid", "dtm", "stm", "uid", "sid", "vid", "lang", "url", "refr",
    "ua", "ue_pr",
}  # fmt: skip
"""Of payload_data 1-0-4, whose members are all text; it allows no others."""
GA4_RESERVED = {"session_start", "user_engagement", "first_visit", "error", "app_exception"}
GA4_RESERVED_PREFIXES = ("firebase_", "ga_", "google_", "gtag")
SEGMENT_PROPERTIES = {
    "Products Searched": {"query"},
    "Product List Viewed": {"list_id", "category"},
    "Product Viewed": {"product_id", "category", "name", "brand", "price"},
    "Product Added": {"cart_id", "product_id", "category", "name", "brand", "price", "quantity"},
    "Product Removed": {"cart_id", "product_id", "category", "name", "brand", "price", "quantity"},
    "Cart Viewed": {"cart_id", "products"},
    "Checkout Started": {"value", "currency", "products"},
    "Checkout Step Completed": {"checkout_id", "step", "shipping_method"},
    "Payment Info Entered": {"checkout_id", "step", "payment_method"},
    "Order Completed": {"checkout_id", "order_id", "total", "revenue", "currency", "products"},
}
"""The e-commerce events, version 2, with the properties of each that the shop has."""


def _made(form: str, event: str) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(Converter(FORMS[form]).convert(one_of_each()[event]) or b"")
    return made


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.title)
def test_tables_have_no_conflict(form: Form) -> None:
    """For each event name, no two rows fill one place, and every source exists."""
    for name in EVENT_NAMES:
        assert conflict(row for row in form.rows if row.is_in(name)) is None
    assert all(row.has_known_source() for row in form.rows)


@pytest.mark.parametrize("form", ALL, ids=lambda form: form.title)
def test_no_value_is_lost(form: Form) -> None:
    """Every value of every event appears in the form, money as cents or as a decimal number."""
    converter = Converter(form)
    for value in one_of_each().values():
        event = json.loads(value)
        text = json.dumps(converter.members(event), ensure_ascii=False)
        text = text.replace('\\"', '"')
        for name, found in event.items():
            if name in MONEY:
                assert str(found) in text or str(found / 100) in text, name
            elif name not in {"items", "event_time", "sent_at", "event_name", "page", "session_id"}:
                assert str(found) in text, name


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_cloudevents_have_their_attributes(event: str) -> None:
    """The required attributes are texts, names are lower-case, and the data is the event."""
    made, native = _made("cloudevents", event), json.loads(one_of_each()[event])
    assert made.pop("data") == native
    assert {"specversion", "id", "source", "type"} <= made.keys()
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in made)
    assert all(isinstance(value, str) and value for value in made.values())
    assert datetime.fromisoformat(made["time"]).tzinfo is UTC
    assert (made["id"], made["type"]) == (native["event_id"], f"dev.clickstream.{event}")


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_segment_calls_are_of_their_type(event: str) -> None:
    """A track call has an event, a page call a name, an identify call traits, and each its ids."""
    made = _made("segment", event)
    assert {"messageId", "userId", "anonymousId", "originalTimestamp", "sentAt"} <= made.keys()
    member = {"track": "event", "page": "name", "identify": "traits"}[made["type"]]
    assert made[member]
    assert made["context"]["page"]["url"].startswith("https://")
    assert {"event", "name", "traits"} & made.keys() == {member}


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_segment_properties_are_named(event: str) -> None:
    """A track call has the name and the properties of the e-commerce events."""
    made = _made("segment", event)
    if made["type"] == "track":
        assert SEGMENT_PROPERTIES[made["event"]] <= made["properties"].keys()
    if made["type"] == "page":
        assert made["properties"].keys() <= {"path", "url", "referrer", "title", "search"}
    post = FORMS["segment"].post
    assert (post.most_records, post.most_bytes + len(post.before + post.after)) <= (2500, 500_000)


def test_segment_order_adds_up() -> None:
    """An order has its products, whose prices and numbers make the revenue."""
    made = _made("segment", "purchase")["properties"]
    assert made["revenue"] == made["total"]
    total = sum(round(100 * row["price"]) * row["quantity"] for row in made["products"])
    assert total == round(100 * made["revenue"])
    assert {"order_id", "currency"} <= made.keys()


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_snowplow_payload_is_all_text(event: str) -> None:
    """A payload has only members of payload_data, all text, and the event as a JSON text."""
    form = FORMS["snowplow"].posted
    assert form is not None
    native = json.loads(one_of_each()[event])
    made = Converter(form).members(native)
    assert made.keys() <= PAYLOAD_KEYS
    assert all(isinstance(value, str) for value in made.values())
    outer = json.loads(made["ue_pr"])
    assert outer["schema"].endswith("/unstruct_event/jsonschema/1-0-0")
    assert outer["data"] == _made("snowplow", event)
    assert outer["data"]["data"] == native
    assert re.fullmatch(r"iglu:[\w.]+/\w+/jsonschema/\d+-\d+-\d+", outer["data"]["schema"])


@pytest.mark.parametrize("event", EVENT_NAMES)
def test_ga4_bodies_keep_the_limits(event: str) -> None:
    """A body has at most 25 parameters of 100 characters and no reserved name."""
    made = _made("ga4", event)
    (only,) = made["events"]
    params = only["params"]
    assert re.fullmatch(r"[1-9]\d*\.[1-9]\d*", made["client_id"])
    assert re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,39}", only["name"])
    assert only["name"] not in GA4_RESERVED
    assert len(params) <= 25
    assert re.fullmatch(r"\d+", params["session_id"])
    assert params["timestamp_micros"] == made["timestamp_micros"] == only["timestamp_micros"]
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]{0,39}", name) for name in params)
    assert not any(name.startswith(GA4_RESERVED_PREFIXES) for name in params)
    assert all(
        len(str(value)) <= 100
        for name, value in params.items()
        if name not in {"items", "page_location", "page_referrer"}
    )


@pytest.mark.parametrize(
    ("form", "records", "bytes_", "record_bytes"),
    [
        ("segment", 500, 480_000, 32_000),
        ("ga4", 25, 120_000, 120_000),
    ],
)
def test_requests_keep_published_limits(
    form: str, records: int, bytes_: int, record_bytes: int
) -> None:
    """The most records and bytes of a request, and the most bytes of a record."""
    post = FORMS[form].post
    assert (post.most_records, post.most_bytes, post.most_record_bytes) == (
        records, bytes_, record_bytes,
    )  # fmt: skip
    assert post.is_merged == (form == "ga4")


@pytest.mark.parametrize("form", ["native", "cloudevents", "snowplow"])
def test_request_has_most_500_records(form: str) -> None:
    """A receiver without a published limit gets 500 records at once."""
    assert FORMS[form].post.most_records == 500


def test_checkout_steps_are_numbered() -> None:
    """Segment numbers the steps of a checkout from 1, and GA4 wants a time of engagement."""
    steps = ("add_shipping_info", "add_payment_info")
    assert [_made("segment", name)["properties"]["step"] for name in steps] == [1, 2]
    assert _made("ga4", "search")["events"][0]["params"]["engagement_time_msec"] == 1
