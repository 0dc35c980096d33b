"""The form of the API's answers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from clickstream_console.core import records
from clickstream_console.core.records import Kpis, Page, Pulse, Record, SimulationRow, Total
from pydantic import BaseModel, ValidationError

_RUN = UUID("00000000-0000-4000-8000-000000000001")
_MOMENT = datetime(2026, 11, 27, 8, tzinfo=UTC)
_KPIS: dict[str, Any] = {
    "simulation": "shop", "visitors": None, "sessions": 4, "converted_sessions": 1,
    "conversion_percent": None, "orders": 1, "revenue": Decimal("33429.70"),
    "average_order_value": None, "bounce_percent": None, "abandonment_percent": None,
    "events_per_session": None, "average_duration_seconds": None,
}  # fmt: skip


def test_money_is_exact_text() -> None:
    """Money is written as text with all its digits, which no browser rounds."""
    assert Kpis(**_KPIS).model_dump(mode="json")["revenue"] == "33429.70"


def test_nothing_measured_is_null() -> None:
    """A share of nothing is null and not zero."""
    shown = Kpis(**_KPIS).model_dump(mode="json")

    assert shown["conversion_percent"] is None
    assert shown["average_order_value"] is None


def test_missing_columns_are_an_error() -> None:
    """A view that lacks a column is no row with a default."""
    for name in _KPIS:
        with pytest.raises(ValidationError, match=name):
            Kpis(**{key: value for key, value in _KPIS.items() if key != name})


def test_rows_cannot_change() -> None:
    """An answer that several listeners share cannot be changed by one of them."""
    row = Kpis(**_KPIS)

    with pytest.raises(ValidationError, match="frozen"):
        row.sessions = 5


def test_totals_have_known_figures() -> None:
    """A total is of events, orders or revenue."""
    given = {"ledger": 1, "traffic": 1, "sessions": 1}

    assert Total.model_validate({"figure": "orders", **given}).ledger == Decimal(1)
    with pytest.raises(ValidationError, match="figure"):
        Total.model_validate({"figure": "sessions", **given})


def test_last_page_has_no_next() -> None:
    """A page says where the next one begins, or null."""
    row = SimulationRow(
        simulation="shop",
        runs=1,
        run_id=_RUN,
        first_seen_at=_MOMENT,
        closed_at=None,
        currency="EUR",
    )
    page = Page[SimulationRow](items=[row], next_offset=None)

    assert page.model_dump(mode="json") == {
        "items": [
            {
                "simulation": "shop", "runs": 1, "run_id": str(_RUN),
                "first_seen_at": "2026-11-27T08:00:00Z", "closed_at": None,
                "currency": "EUR",
            }
        ],
        "next_offset": None,
    }  # fmt: skip


def test_pulse_may_know_little() -> None:
    """At the beginning of a run rates, latencies and key figures are null."""
    pulse = Pulse(
        at=_MOMENT, run_id=_RUN, closed_at=None, target_per_second=None, stored_per_second=None,
        stored_events=0, waiting_events=0, rejected_records=0, p50_seconds=None, p95_seconds=None,
        kpis=None,
    )  # fmt: skip

    assert [name for name, value in pulse.model_dump().items() if value is None] == [
        "closed_at", "target_per_second", "stored_per_second", "p50_seconds", "p95_seconds", "kpis",
    ]  # fmt: skip


@pytest.mark.parametrize("name", records.__all__)
def test_every_record_says_what_it_is(name: str) -> None:
    """Each form has a description for the OpenAPI document, and every row is frozen."""
    kind = getattr(records, name)

    assert issubclass(kind, BaseModel)
    assert kind.__doc__
    assert kind.model_config.get("frozen", False) is issubclass(kind, Record)
