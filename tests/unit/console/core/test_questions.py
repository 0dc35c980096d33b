"""The statements that answer the API, and the values bound to them."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from clickstream_console.core import questions
from clickstream_console.core.parameters import (
    LatencyAsked,
    OfSimulation,
    Paged,
    ProductsAsked,
    SessionsAsked,
    Since,
    TimelineAsked,
)
from clickstream_console.core.questions import Question

_SHOP = OfSimulation(simulation="shop")
_SESSION = UUID("00000000-0000-4000-8000-000000000001")
_TIMELINE = TimelineAsked(simulation="shop", limit=7, offset=3)
_PAGED = {"simulation": "shop", "limit": 7, "offset": 3, "one_more": 8}
_EVERY = {
    "simulations": questions.simulations(Paged()),
    "known": questions.known(_SHOP),
    "kpis": questions.kpis(_SHOP),
    "hours": questions.hours(_TIMELINE),
    "funnel": questions.funnel(_SHOP),
    "minutes": questions.minutes(_TIMELINE),
    "products": questions.products(ProductsAsked(simulation="shop")),
    "countries": questions.segments(questions.COUNTRIES, Since(simulation="shop")),
    "devices": questions.segments(questions.DEVICES, Since(simulation="shop")),
    "channels": questions.segments(questions.CHANNELS, Since(simulation="shop")),
    "sessions": questions.sessions(SessionsAsked(simulation="shop")),
    "latency": questions.latency(LatencyAsked(simulation="shop")),
    "recent latency": questions.latency(LatencyAsked(simulation="shop", window_seconds=60)),
    "shards": questions.shards(_SHOP),
    "totals": questions.totals(_SHOP),
    "pulse": questions.pulse(_SHOP),
}


def _values(question: Question) -> dict[str, Any]:
    return dict(question.values)


@pytest.mark.parametrize("name", _EVERY)
def test_every_placeholder_is_bound(name: str) -> None:
    """Each placeholder of a statement has its value, and no value is in the text."""
    question = _EVERY[name]
    placeholders = set(re.findall(r"%\((\w+)\)s", question.sql))

    assert placeholders <= _values(question).keys()
    assert "shop" not in question.sql
    assert "%" not in re.sub(r"%\(\w+\)s", "", question.sql)


@pytest.mark.parametrize("name", _EVERY)
def test_every_question_can_be_kept(name: str) -> None:
    """The same question is equal to itself and has one hash, so that its answer can be kept."""
    question = _EVERY[name]

    assert len({question, Question(question.sql, question.values)}) == 1


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("simulations", "ops.runs"), ("known", "ops.runs"), ("kpis", "mart.kpis"),
        ("hours", "mart.kpis_hour"), ("funnel", "mart.funnel"), ("minutes", "mart.traffic_minute"),
        ("products", "mart.top_products"), ("countries", "mart.dim_country"),
        ("devices", "mart.sessions_hour"), ("channels", "mart.sessions_hour"),
        ("sessions", "mart.fact_sessions"), ("latency", "ops.latency"),
        ("recent latency", "raw.events"), ("shards", "ops.integrity"),
        ("totals", "ops.ledger_by_shard"), ("pulse", "ops.shards"),
    ],
)  # fmt: skip
def test_each_question_reads_its_view(name: str, view: str) -> None:
    """Figures come from the view that dashboards read too."""
    assert re.search(rf"\b{re.escape(view)}\b", _EVERY[name].sql)


def test_simulation_is_bound() -> None:
    """A question about a simulation binds its name and nothing else."""
    for name in ("known", "kpis", "funnel", "shards", "totals"):
        assert _values(_EVERY[name]) == {"simulation": "shop"}


def test_pages_ask_for_one_more() -> None:
    """A page asks for one row more than it shows: that row means that there is a next page."""
    assert _values(questions.simulations(Paged(limit=7, offset=3))) == {
        "limit": 7, "offset": 3, "one_more": 8,
    }  # fmt: skip
    for name in ("hours", "minutes"):
        assert _values(_EVERY[name]) == {**_PAGED, "since": None, "until": None}
    for name in ("simulations", "hours", "minutes", "products"):
        assert _EVERY[name].sql.endswith("LIMIT %(one_more)s OFFSET %(offset)s")
    assert _EVERY["sessions"].sql.endswith("LIMIT %(one_more)s")


def test_product_filters_are_bound() -> None:
    """Order and category of products are values, never text."""
    asked = ProductsAsked(simulation="shop", limit=7, offset=3, sort="views", category="Toys")

    assert _values(questions.products(asked)) == {**_PAGED, "sort": "views", "category": "Toys"}


def test_sessions_begin_at_the_top() -> None:
    """Without a cursor the first page is asked for."""
    values = _values(questions.sessions(SessionsAsked(simulation="shop", limit=7)))

    assert values == {
        "simulation": "shop", "limit": 7, "one_more": 8, "cursor": None, "country": None,
        "device": None, "channel": None, "outcome": None, "micros": None, "session_id": None,
    }  # fmt: skip


def test_sessions_continue_at_the_cursor() -> None:
    """A cursor is bound as its moment and its session."""
    asked = SessionsAsked(simulation="shop", cursor=f"1000007.{_SESSION}")

    values = _values(questions.sessions(asked))

    assert (values["micros"], values["session_id"]) == (1_000_007, _SESSION)


def test_latency_has_two_forms() -> None:
    """A window asks the events of the last seconds, no window the whole run."""
    assert _values(_EVERY["recent latency"]) == {"simulation": "shop", "window_seconds": 60}
    assert _values(_EVERY["latency"]) == {"simulation": "shop", "window_seconds": None}
    assert _EVERY["latency"].sql != _EVERY["recent latency"].sql


def test_segments_differ_in_their_key() -> None:
    """The three statements group by country, device and channel and are otherwise alike."""
    keys = {
        questions.COUNTRIES: "hours.country", questions.DEVICES: "device",
        questions.CHANNELS: "channel",
    }  # fmt: skip

    assert len(keys) == 3
    for sql, key in keys.items():
        assert sql.startswith(f"SELECT {key} AS key, ")
        assert sql.endswith(" GROUP BY 1, 2 ORDER BY sessions DESC, key")


def test_pulse_looks_back_briefly() -> None:
    """The pulse measures latency over the last fifteen seconds."""
    assert _values(_EVERY["pulse"]) == {"simulation": "shop", "seconds": 15}
