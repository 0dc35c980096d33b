"""Google's sample queries for the export of GA4 to BigQuery, in PostgreSQL, on a real run.

They are those of https://developers.google.com/analytics/bigquery/basic-queries and
https://developers.google.com/analytics/bigquery/advanced-queries: ``UNNEST`` is
``jsonb_to_recordset``, a field of a record ``->>``. What each must return is computed in Python
from the events themselves.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from batches import write_batch
from clickstream_contract.canonical import canonical_text, text_sql
from clickstream_contract.countries import COUNTRIES
from clickstream_streaming.core.sample import sample_event
from databases import Database, batch_process
from simulations import START_SECONDS, simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from databases import DatabaseServer

pytestmark = pytest.mark.services

Event = dict[str, Any]
Rows = list[tuple[Any, ...]]

_CHECKOUT = ("view_cart", "begin_checkout", "add_shipping_info", "add_payment_info", "purchase")
_SECONDS = 900
_EVENTS = """
SELECT to_jsonb(event) FROM raw.events AS event ORDER BY event_time, session_id, session_seq
"""


def _param(key: str, kind: str) -> str:
    """Return a parameter of an event, as SQL."""
    return (
        "(SELECT value->>'KIND_value' FROM jsonb_to_recordset(event_params)"
        " AS param (key text, value jsonb) WHERE key = 'KEY')"
    ).replace("KIND", kind).replace("KEY", key)  # fmt: skip


_WORDS = {
    "EXPORT": "mart.ga4_events AS export",
    "SESSION_ID": f"{_param('ga_session_id', 'int')}::bigint",
    "SESSION_NUMBER": f"{_param('ga_session_number', 'int')}::integer",
    "PAGE": _param("page_location", "string"),
    "VALUE": "(SELECT coalesce(value->>'int_value', value->>'float_value', value->>'double_value')"
    "::numeric FROM jsonb_to_recordset(event_params) AS param (key text, value jsonb)"
    " WHERE key = 'value')",
    "ITEMS": "jsonb_to_recordset(items) AS item (item_id text, item_name text, item_brand text,"
    " item_category text, price numeric, quantity integer, item_revenue numeric)",
    "CHECKOUT": str(_CHECKOUT),
}
"""Text in the queries for the export's table and for ``UNNEST`` of its records."""


def _written(query: str) -> str:
    """Return a query with its words replaced."""
    return re.sub("|".join(rf"\b{word}\b" for word in _WORDS), lambda hit: _WORDS[hit[0]], query)


@dataclass(frozen=True)
class Export:
    """The events of a run.

    Attributes:
        events: As they are stored, in the order of time.
        sessions: The ``session_start`` of each session.
    """

    events: list[Event]
    sessions: dict[str, Event]

    def named(self, *names: str) -> list[Event]:
        """Return the events with one of these names."""
        return [event for event in self.events if event["event_name"] in names]


def _microseconds(event: Event) -> int:
    at = datetime.fromisoformat(event["event_time"]) - datetime(1970, 1, 1, tzinfo=UTC)
    return (at.days * 86_400 + at.seconds) * 1_000_000 + at.microseconds


def _session_id(event: Event) -> int:
    digits = event["session_id"].replace("-", "")
    return int(digits[:12], 16) ^ int(digits[13:16] + digits[-9:], 16)


def _euros(minor: int) -> Decimal:
    return Decimal(minor) / 100


def _by(events: list[Event], name: str) -> dict[Any, list[Event]]:
    found = defaultdict(list)
    for event in events:
        found[event[name]].append(event)
    return found


def _new_users(export: Export) -> set[str]:
    return {row["user_id"] for row in export.sessions.values() if row["session_number"] == 1}


def _selected(export: Export) -> Rows:
    names = ("page_view", "session_start", "purchase")
    days = Counter(
        (event["event_time"][:10].replace("-", ""), event["event_name"])
        for event in export.named(*names)
    )
    return [(*key, count) for key, count in days.items()]


def _users(export: Export) -> Rows:
    return [(len({event["user_id"] for event in export.events}), len(_new_users(export)))]


def _transactions(export: Export) -> Rows:
    bought = export.named("purchase")
    return [(round(Decimal(len(bought)) / len({event["user_id"] for event in bought}), 6),)]


def _values(export: Export) -> Rows:
    return [
        (_microseconds(event), _euros(event["value_minor"])) for event in export.named("purchase")
    ]


def _totals(export: Export) -> Rows:
    valued = [event for event in export.events if event["value_minor"] is not None]
    return [
        (name, len(events), sum(_euros(event["value_minor"]) for event in events))
        for name, events in _by(valued, "event_name").items()
    ]


def _most_added(export: Export) -> Rows:
    users: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in export.named("add_to_cart"):
        users[event["product_id"], event["product_name"]].add(event["user_id"])
    rows = sorted(((*key, len(known)) for key, known in users.items()), key=lambda r: (-r[2], r[0]))
    return rows[:10]


def _page_views(export: Export) -> Rows:
    groups: dict[bool, list[int]] = defaultdict(list)
    for events in _by(export.events, "user_id").values():
        names = Counter(event["event_name"] for event in events)
        groups[names["purchase"] > 0].append(names["page_view"])
    return [
        (buys, len(views), sum(views), round(Decimal(sum(views)) / len(views), 6))
        for buys, views in groups.items()
    ]


def _sequence(export: Export) -> Rows:
    rows: Rows = []
    for events in _by(export.named("page_view"), "session_id").values():
        following = [*events[1:], None]
        rows += [
            (one["user_id"], _session_id(one), _microseconds(one), one["page"],
             other and other["page"])
            for one, other in zip(events, following, strict=True)
        ]  # fmt: skip
    return rows


def _parameters(export: Export) -> Rows:
    checkouts = len(export.named("add_shipping_info"))
    keys = ("currency", "ga_session_id", "ga_session_number", "page_location", "shipping_tier",
            "value")  # fmt: skip
    return [(key, checkouts) for key in keys]


def _bought_by(export: Export) -> dict[str, Counter[str]]:
    bought: dict[str, Counter[str]] = defaultdict(Counter)
    for event in export.named("purchase"):
        for line in event["items"]:
            bought[event["user_id"]][line["product_name"]] += line["quantity"]
    return bought


def _favourite(export: Export) -> str:
    """Return the item that most users bought, beside others."""
    buyers = Counter(
        name for names in _bought_by(export).values() if len(names) > 1 for name in names
    )
    return max(buyers, key=lambda name: (buyers[name], name))


def _bought_together(export: Export) -> Rows:
    favourite = _favourite(export)
    others: Counter[str] = Counter()
    for names in _bought_by(export).values():
        if favourite in names:
            others += names
    del others[favourite]
    return list(others.items())


def _spent(export: Export) -> Rows:
    return [
        (user, len(sessions), round(sum(_euros(event["value_minor"]) for event in events)
                                    / len(sessions), 6))
        for user, events in _by(export.named("purchase"), "user_id").items()
        for sessions in [{event["session_id"] for event in events}]
    ]  # fmt: skip


def _latest(export: Export) -> Rows:
    rows = []
    for user, events in _by(export.events, "user_id").items():
        last = max(events, key=lambda event: (_microseconds(event), _session_id(event)))
        number = export.sessions[last["session_id"]]["session_number"]
        rows.append((user, _session_id(last), number))
    return rows


def _sold(export: Export) -> Rows:
    sold: dict[str, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for event in export.named("purchase"):
        for line in event["items"]:
            sold[line["product_name"]][0] += line["quantity"]
            sold[line["product_name"]][1] += line["quantity"] * _euros(line["price_minor"])
    return [(name, *figures) for name, figures in sold.items()]


def _carts(export: Export) -> Rows:
    """Return what a cart holds, worked out from what was put in and taken out of it."""
    rows: Rows = []
    for user, events in _by(export.events, "user_id").items():
        if len({event["session_id"] for event in events}) > 1:
            continue  # a cart may be of a session before, or of a window beside
        cart: Counter[str] = Counter()
        for event in events:
            if event["event_name"] == "add_to_cart":
                cart[event["product_name"]] += event["quantity"]
            elif event["event_name"] == "remove_from_cart":
                cart[event["product_name"]] -= event["quantity"]
            elif event["event_name"] in _CHECKOUT:
                held = {name: count for name, count in cart.items() if count}
                rows += [(user, event["event_name"], name, held[name]) for name in held]
            if event["event_name"] == "purchase":
                cart.clear()
    return rows


def _sources(export: Export) -> Rows:
    found: Counter[tuple[Any, ...]] = Counter()
    for event in export.sessions.values():
        host = (urlsplit(event["referrer"] or "").hostname or "").removeprefix("www.")
        channel, campaign = event["channel"], event["campaign"]
        row = {
            "direct": ("(direct)", "(none)", "(direct)"),
            "organic_search": (host.split(".")[0], "organic", "(organic)"),
            "paid_search": (host.split(".")[0], "cpc", campaign),
            "referral": (host, "referral", "(referral)"),
        }.get(channel, (host or channel, channel, campaign))
        found[row] += 1
    return [(*row, count) for row, count in found.items()]


def _countries(export: Export) -> Rows:
    return [
        (COUNTRIES[code].name, city, count)
        for (code, city), count in Counter(
            (event["country"], event["city"]) for event in export.events
        ).items()
    ]


def _orders(export: Export) -> Rows:
    return [
        (event["order_id"], _euros(event["value_minor"]), event["cart_quantity"],
         len(event["items"]))
        for event in export.named("purchase")
    ]  # fmt: skip


QUERIES: dict[str, tuple[str, Callable[[Export], Rows]]] = {
    "selected events in a range of dates": (
        """
        SELECT event_date, event_name, count(*) FROM EXPORT
        WHERE event_name IN ('page_view', 'session_start', 'purchase')
            AND event_date BETWEEN '20200101' AND '20991231'
        GROUP BY 1, 2""",
        _selected,
    ),
    "users and new users": (
        """
        WITH user_info AS (
            SELECT user_pseudo_id,
                max(CASE WHEN event_name IN ('first_visit', 'first_open') THEN 1 ELSE 0 END)
                    AS is_new_user
            FROM EXPORT GROUP BY 1
        )
        SELECT count(*), sum(is_new_user) FROM user_info""",
        _users,
    ),
    "transactions per purchaser": (
        """
        SELECT round(count(*)::numeric / count(DISTINCT user_pseudo_id), 6)
        FROM EXPORT WHERE event_name IN ('in_app_purchase', 'purchase')""",
        _transactions,
    ),
    "values of an event": (
        "SELECT event_timestamp, VALUE FROM EXPORT WHERE event_name = 'purchase'",
        _values,
    ),
    "total value by event": (
        """
        SELECT event_name, count(*), sum(VALUE) FROM EXPORT
        WHERE VALUE IS NOT NULL GROUP BY 1""",
        _totals,
    ),
    "ten items added to the cart by most users": (
        """
        SELECT item_id, item_name, count(DISTINCT user_pseudo_id) AS user_count
        FROM EXPORT, ITEMS
        WHERE event_name IN ('add_to_cart') GROUP BY 1, 2
        ORDER BY user_count DESC, item_id LIMIT 10""",
        _most_added,
    ),
    "page views by type of purchaser": (
        """
        WITH user_info AS (
            SELECT user_pseudo_id, count(*) FILTER (WHERE event_name = 'page_view') AS page_views,
                count(*) FILTER (WHERE event_name IN ('in_app_purchase', 'purchase')) AS purchases
            FROM EXPORT GROUP BY 1
        )
        SELECT purchases > 0, count(*), sum(page_views), round(sum(page_views) / count(*), 6)
        FROM user_info GROUP BY 1""",
        _page_views,
    ),
    "sequence of page views": (
        """
        SELECT user_pseudo_id, session_id, event_timestamp, page, lead(page) OVER (
            PARTITION BY user_pseudo_id, session_id ORDER BY event_timestamp)
        FROM (
            SELECT user_pseudo_id, event_timestamp, SESSION_ID AS session_id,
                PAGE AS page
            FROM EXPORT WHERE event_name = 'page_view'
        ) AS viewed""",
        _sequence,
    ),
    "parameters of an event": (
        """
        SELECT key, count(*) FROM EXPORT,
            jsonb_to_recordset(event_params) AS param (key text, value jsonb)
        WHERE event_name = 'add_shipping_info' GROUP BY 1""",
        _parameters,
    ),
    "products bought by those who bought a product": (
        """
        WITH purchases AS (
            SELECT user_pseudo_id, items FROM EXPORT WHERE event_name = 'purchase'
        ), buyers AS (
            SELECT DISTINCT user_pseudo_id FROM purchases, ITEMS
            WHERE item_name = %(favourite)s
        )
        SELECT item_name, sum(quantity) FROM purchases, ITEMS
        WHERE user_pseudo_id IN (SELECT user_pseudo_id FROM buyers)
            AND item_name <> %(favourite)s
        GROUP BY 1""",
        _bought_together,
    ),
    "money spent per purchase session": (
        """
        SELECT user_pseudo_id, count(DISTINCT SESSION_ID),
            round(sum(VALUE) / count(DISTINCT SESSION_ID), 6)
        FROM EXPORT
        WHERE event_name = 'purchase' AND SESSION_ID IS NOT NULL GROUP BY 1""",
        _spent,
    ),
    "latest session of each user": (
        """
        SELECT DISTINCT user_pseudo_id, first_value(session_id) OVER last,
            first_value(session_number) OVER last
        FROM (
            SELECT user_pseudo_id, event_timestamp, SESSION_ID AS session_id,
                SESSION_NUMBER AS session_number
            FROM EXPORT
        ) AS seen
        WINDOW last AS (PARTITION BY user_pseudo_id ORDER BY event_timestamp DESC, session_id DESC)
        """,
        _latest,
    ),
    "revenue by item": (
        """
        SELECT item->>'item_name', sum((item->>'quantity')::int),
            sum((item->>'price')::numeric * (item->>'quantity')::int)
        FROM EXPORT, jsonb_array_elements(items) AS item
        WHERE event_name = 'purchase' GROUP BY 1""",
        _sold,
    ),
    "items of carts and checkout": (
        """
        SELECT user_pseudo_id, event_name, item_name, quantity
        FROM EXPORT, ITEMS
        WHERE event_name IN CHECKOUT AND user_pseudo_id IN (
            SELECT user_pseudo_id FROM EXPORT
            GROUP BY 1 HAVING count(DISTINCT SESSION_ID) = 1)""",
        _carts,
    ),
    "sessions by source, medium and campaign": (
        """
        SELECT traffic_source->>'source', traffic_source->>'medium', traffic_source->>'name',
            count(*)
        FROM EXPORT WHERE event_name = 'session_start' GROUP BY 1, 2, 3""",
        _sources,
    ),
    "events by country and city": (
        """
        SELECT geo->>'country', geo->>'city', count(*)
        FROM EXPORT WHERE event_name <> 'first_visit' GROUP BY 1, 2""",
        _countries,
    ),
    "orders": (
        """
        SELECT ecommerce->>'transaction_id', (ecommerce->>'purchase_revenue')::numeric,
            (ecommerce->>'total_item_quantity')::integer, (ecommerce->>'unique_items')::integer
        FROM EXPORT WHERE ecommerce->>'purchase_revenue' IS NOT NULL""",
        _orders,
    ),
}


@pytest.fixture(scope="module")
def stored(database_server: DatabaseServer) -> Iterator[Database]:
    """Return a database with a generator's run, as the stream's own task stores it."""
    source = simulator("{eventsPerSecond: 4}", users=400)
    events = source.take_due(START_SECONDS + _SECONDS, 10**9)
    records = source.encoder.encode(events, int(1000 * (START_SECONDS + _SECONDS))).values
    with database_server.database() as database:
        with batch_process() as pool:
            outcome = pool.submit(write_batch, database.settings, records).result()
        assert outcome["stored"] == len(records)
        yield database


@pytest.fixture(scope="module")
def exported(stored: Database) -> Export:
    """Return the events of the run."""
    with stored.owner, stored.owner.cursor() as cursor:
        cursor.execute(_EVENTS)
        events = [event for (event,) in cursor.fetchall()]
    return Export(
        events, {event["session_id"]: event for event in events if event["session_number"]}
    )


def _rows(stored: Database, query: str, **values: object) -> Rows:
    with stored.owner, stored.owner.cursor() as cursor:
        cursor.execute(_written(query), values)
        return cursor.fetchall()


@pytest.mark.parametrize("name", QUERIES)
def test_sample_query_is_right(stored: Database, exported: Export, name: str) -> None:
    """The query returns what the events say, row by row."""
    query, expected = QUERIES[name]
    wanted = expected(exported)

    found = _rows(stored, query, favourite=_favourite(exported))

    assert wanted, "the run has such events"
    assert Counter(found) == Counter(wanted)


def test_items_name_their_products(stored: Database) -> None:
    """Each event about items has some; each but a list's has id, name, brand, category, price."""
    rows = _rows(
        stored,
        "SELECT event_name, count(*) FILTER (WHERE items IS NULL), count(*) FILTER ("
        " WHERE NOT items @? '$[*]'"
        " OR items @? '$[*] ? (!exists(@.item_category) || (!exists(@.item_list_name)"
        " && (!exists(@.item_id) || !exists(@.item_name) || !exists(@.item_brand)"
        " || !exists(@.price))))') FROM EXPORT WHERE event_name IN ('view_item_list',"
        " 'view_item', 'add_to_cart', 'remove_from_cart', 'begin_checkout', 'add_shipping_info',"
        " 'add_payment_info', 'purchase') GROUP BY 1",
    )

    assert len(rows) == 8
    assert {row[1:] for row in rows} == {(0, 0)}


def test_sessions_are_told_apart(stored: Database) -> None:
    """Each session of a user has an integer that no other has, and one number in all its events."""
    ((sessions, pairs, kinds, wanted),) = _rows(
        stored,
        """
        SELECT count(DISTINCT session_id), count(DISTINCT (user_pseudo_id, session_id)),
            count(DISTINCT (session_id, session_number)),
            (SELECT count(DISTINCT session_id) FROM raw.events)
        FROM (
            SELECT user_pseudo_id, SESSION_ID AS session_id, SESSION_NUMBER AS session_number
            FROM EXPORT
        ) AS seen""",
    )

    assert sessions == pairs == wanted == kinds


def test_first_version_has_no_names(database: Database) -> None:
    """Lines of the event's first version are exported without names, and keep their text."""
    order = sample_event("purchase") | {"schema_version": 1}
    for row in order["items"]:
        del row["product_name"], row["brand"]
    database.write([json.dumps(order).encode()])

    ((items,),) = _rows(database, "SELECT items FROM EXPORT")
    ((text,),) = _rows(database, f"SELECT {text_sql()} FROM raw.events")  # noqa: S608

    assert [set(item) for item in items] == [
        {"item_id", "item_category", "price", "quantity", "item_revenue"}
    ]
    assert text == canonical_text(order)
