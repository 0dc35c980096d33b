"""The forms of records: one table for each.

Owns the mapping tables. Nothing else knows what an event is called in another form. The published
specifications:

- CloudEvents 1.0.2, with its Kafka and HTTP bindings: https://github.com/cloudevents/spec
- Segment's Spec with its e-commerce events:
  https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2
- Snowplow's tracker protocol: https://docs.snowplow.io/docs/events/http-requests/
- Segment's limits:
  https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api
- GA4's Measurement Protocol, with the form of ``client_id`` and of an event's time, and the limits:
  https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference and
  https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.events import CART_EVENTS, ITEM_EVENTS, SCHEMA_VERSION

from clickstream_generator.core.form_rows import WHOLE, Form, Post, Row

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FORMS", "LINES", "NATIVE", "SNOWPLOW_SCHEMA"]

LINES = Post("application/x-ndjson", between=b"\n", after=b"\n", most_records=500)
"""Records as lines."""

NATIVE = Form("native", "the event as it is", ("event.md",), (Row("", WHOLE),), LINES)

_CHECKOUT = ("begin_checkout", "add_shipping_info", "add_payment_info", "purchase")
_LISTED = tuple(name for name in CART_EVENTS if name not in ITEM_EVENTS)
"""Events with order lines."""
_TRUTH = (
    "event_id",
    "session_id",
    "session_seq",
    "session_number",
    "experiments",
    "run_id",
    "simulation",
    "shard",
    "shard_seq",
    "schema_version",
    "persona",
    "channel",
    "cart_quantity",
)
"""Fields without a place in a vendor's specification, which a judge needs."""


def _kept(prefix: str, left_out: tuple[str, ...] = ()) -> tuple[Row, ...]:
    """Return rows that keep the fields of :data:`_TRUTH` under their own names."""
    return tuple(Row(f"{prefix}.{name}", name) for name in _TRUTH if name not in left_out)


_CLOUDEVENTS = Form(
    "cloudevents",
    "CloudEvents 1.0",
    (
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md",
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md",
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md",
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md",
    ),
    (
        Row("specversion", constant="1.0"),
        Row("id", "event_id"),
        Row("source", "run_id", "source"),
        Row("type", "event_name", "type"),
        Row("subject", "user_id"),
        Row("time", "event_time"),
        Row("datacontenttype", constant="application/json"),
        Row("partitionkey", "user_id"),
        Row("data", WHOLE),
    ),
    Post(
        "application/cloudevents-batch+json",
        before=b"[",
        after=b"]",
        most_records=500,
        is_headers=True,
    ),
)

_SEGMENT = Form(
    "segment",
    "Segment",
    (
        "https://www.twilio.com/docs/segment/connections/spec/common",
        "https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2",
        "https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api",
    ),
    (
        Row("messageId", "event_id"),
        Row(
            "type",
            "event_name",
            names={"session_start": "identify", "page_view": "page"},
            otherwise="track",
        ),
        Row(
            "event",
            "event_name",
            names={
                "search": "Products Searched",
                "view_item_list": "Product List Viewed",
                "view_item": "Product Viewed",
                "add_to_cart": "Product Added",
                "remove_from_cart": "Product Removed",
                "view_cart": "Cart Viewed",
                "begin_checkout": "Checkout Started",
                "add_shipping_info": "Checkout Step Completed",
                "add_payment_info": "Payment Info Entered",
                "purchase": "Order Completed",
            },
            events=("search", "view_item_list", *ITEM_EVENTS, *_LISTED),
        ),
        Row("name", "page", events=("page_view",)),
        Row("anonymousId", "user_id"),
        Row("userId", "user_id"),
        Row("originalTimestamp", "event_time"),
        Row("timestamp", "event_time"),
        Row("sentAt", "sent_at"),
        Row("context.page.path", "page"),
        Row("context.page.url", "page", "url"),
        Row("context.page.referrer", "referrer"),
        Row("context.campaign.name", "campaign"),
        Row("context.userAgent", "user_agent"),
        Row("context.locale", "language"),
        Row("context.os.name", "os"),
        Row("context.device.type", "device"),
        Row("context.location.country", "country"),
        Row("context.location.city", "city"),
        Row("context.clickstream.browser", "browser"),
        *_kept("context.clickstream", ("event_id",)),
        Row("traits.address.country", "country", events=("session_start",)),
        Row("traits.address.city", "city", events=("session_start",)),
        Row("properties.path", "page", events=("page_view",)),
        Row("properties.url", "page", "url", events=("page_view",)),
        Row("properties.referrer", "referrer", events=("page_view",)),
        Row("properties.query", "search_term"),
        Row("properties.list_id", "category", events=("view_item_list",)),
        Row("properties.category", "category"),
        Row("properties.product_id", "product_id"),
        Row("properties.name", "product_name"),
        Row("properties.brand", "brand"),
        Row("properties.price", "price_minor", "decimal"),
        Row("properties.quantity", "quantity"),
        Row(
            "properties.cart_id",
            "session_id",
            events=("add_to_cart", "remove_from_cart", "view_cart"),
        ),
        Row("properties.checkout_id", "session_id", events=_CHECKOUT),
        Row("properties.step", constant=1, events=("add_shipping_info",)),
        Row("properties.step", constant=2, events=("add_payment_info",)),
        Row("properties.shipping_method", "shipping_tier"),
        Row("properties.payment_method", "payment_type"),
        Row("properties.order_id", "order_id"),
        Row("properties.total", "value_minor", "decimal", events=("purchase",)),
        Row("properties.revenue", "value_minor", "decimal", events=("purchase",)),
        Row(
            "properties.value",
            "value_minor",
            "decimal",
            events=("view_item", *(name for name in CART_EVENTS if name != "purchase")),
        ),
        Row("properties.currency", "currency"),
        Row("properties.products[].product_id", "items[].product_id"),
        Row("properties.products[].name", "items[].product_name"),
        Row("properties.products[].brand", "items[].brand"),
        Row("properties.products[].category", "items[].category"),
        Row("properties.products[].price", "items[].price_minor", "decimal"),
        Row("properties.products[].quantity", "items[].quantity"),
    ),
    # 500 KB and 2,500 calls for a request, 32 KB for a call.
    Post(
        "application/json",
        b'{"batch":[',
        after=b"]}",
        most_records=500,
        most_bytes=480_000,
        most_record_bytes=32_000,
    ),
    others="context.clickstream",
)

SNOWPLOW_SCHEMA = f"iglu:dev.clickstream/event/jsonschema/{SCHEMA_VERSION}-0-0"
"""The event's own schema: every field of every event, as the contract has it."""

_SNOWPLOW_SPECIFICATION = (
    "https://docs.snowplow.io/docs/fundamentals/self-describing-json/",
    "https://docs.snowplow.io/docs/events/http-requests/",
    "https://github.com/snowplow/iglu-central/blob/master/schemas/com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4",
)

_SNOWPLOW_PAYLOAD = Form(
    "snowplow",
    "Snowplow's tracker protocol",
    _SNOWPLOW_SPECIFICATION,
    (
        Row("e", constant="ue"),
        Row("p", constant="web"),
        Row("tv", constant=f"clickstream-{SCHEMA_VERSION}"),
        Row("cs", constant="UTF-8"),
        Row("aid", "simulation"),
        Row("eid", "event_id"),
        Row("dtm", "event_time", "millis"),
        Row("stm", "sent_at", "millis"),
        Row("uid", "user_id"),
        Row("sid", "session_id"),
        Row("vid", "session_number", "text"),
        Row("lang", "language"),
        Row("url", "page", "url"),
        Row("refr", "referrer"),
        Row("ua", "user_agent"),
        Row(
            "ue_pr.schema",
            constant="iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
        ),
        Row("ue_pr.data.schema", constant=SNOWPLOW_SCHEMA),
        Row("ue_pr.data.data", WHOLE),
    ),
    # A collector's default limit for a request is 1 MiB.
    Post(
        "application/json; charset=utf-8",
        b'{"schema":"iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4","data":[',
        after=b"]}",
        most_records=500,
    ),
    texts=("ue_pr",),
)

_SNOWPLOW = Form(
    "snowplow",
    "Snowplow",
    _SNOWPLOW_SPECIFICATION,
    (Row("schema", constant=SNOWPLOW_SCHEMA), Row("data", WHOLE)),
    _SNOWPLOW_PAYLOAD.post,
    posted=_SNOWPLOW_PAYLOAD,
)

_GA4 = Form(
    "ga4",
    "GA4 Measurement Protocol",
    (
        "https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference",
        "https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference/events",
        "https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events",
    ),
    (
        Row("client_id", "user_id", "client"),
        Row("user_id", "user_id"),
        Row("timestamp_micros", "event_time", "micros"),
        Row("user_agent", "user_agent"),
        Row("user_location.country_id", "country"),
        Row("user_location.city", "city"),
        Row("device.category", "device"),
        Row("device.language", "language"),
        Row("device.operating_system", "os"),
        Row("device.browser", "browser"),
        # Google reserves the name session_start.
        Row("events[0].name", "event_name", names={"session_start": "shop_session_start"}),
        # Google's guide sets an event's time beside its name, Google's reference as a parameter.
        Row("events[0].timestamp_micros", "event_time", "micros"),
        Row("events[0].params.timestamp_micros", "event_time", "micros"),
        Row("events[0].params.session_id", "session_id", "number"),
        Row("events[0].params.engagement_time_msec", constant=1),
        Row("events[0].params.page_location", "page", "url"),
        Row("events[0].params.page_referrer", "referrer"),
        Row("events[0].params.campaign", "campaign"),
        Row("events[0].params.search_term", "search_term"),
        Row("events[0].params.item_list_name", "category", events=("view_item_list",)),
        Row("events[0].params.shipping_tier", "shipping_tier"),
        Row("events[0].params.payment_type", "payment_type"),
        Row("events[0].params.transaction_id", "order_id"),
        Row("events[0].params.currency", "currency"),
        Row("events[0].params.value", "value_minor", "decimal"),
        Row("events[0].params.items[0].item_id", "product_id"),
        Row("events[0].params.items[0].item_name", "product_name"),
        Row("events[0].params.items[0].item_brand", "brand"),
        Row("events[0].params.items[0].item_category", "category", events=ITEM_EVENTS),
        Row("events[0].params.items[0].price", "price_minor", "decimal"),
        Row("events[0].params.items[0].quantity", "quantity"),
        Row("events[0].params.items[].item_id", "items[].product_id"),
        Row("events[0].params.items[].item_name", "items[].product_name"),
        Row("events[0].params.items[].item_brand", "items[].brand"),
        Row("events[0].params.items[].item_category", "items[].category"),
        Row("events[0].params.items[].price", "items[].price_minor", "decimal"),
        Row("events[0].params.items[].quantity", "items[].quantity"),
        *_kept("events[0].params", ("session_id",)),
    ),
    # 25 events and 130 kB for a request.
    Post(
        "application/json",
        most_records=25,
        most_bytes=120_000,
        most_record_bytes=120_000,
        is_merged=True,
    ),
    others="events[0].params",
)

FORMS: Mapping[str, Form] = {
    form.name: form for form in (NATIVE, _CLOUDEVENTS, _SEGMENT, _SNOWPLOW, _GA4)
}
"""The forms by their name in ``--form``."""
