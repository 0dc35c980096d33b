"""The form of the answers.

Owns names, types, units and meaning of every field; a field of a view has the view's name. Money is
exact, and is written as text such as ``"33429.79"``.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  pydantic reads the fields' types
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar
from uuid import UUID  # noqa: TC003  same

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Hour",
    "Integrity",
    "Kpis",
    "Latency",
    "Page",
    "Problem",
    "Product",
    "Pulse",
    "Segment",
    "Session",
    "SessionPage",
    "ShardIntegrity",
    "SimulationRow",
    "Step",
    "Total",
    "TrafficMinute",
]

Money = Annotated[
    Decimal, Field(description="In the currency of the simulation.", examples=["33429.79"])
]
Percent = Annotated[float | None, Field(description="Unit: percent; null of nothing.")]
Seconds = Annotated[float | None, Field(description="Unit: seconds; null of nothing.")]


class Record(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True)


Row = TypeVar("Row", bound=Record)


class Page(BaseModel, Generic[Row]):
    """Rows, and the start of the next page; null on the last page."""

    items: list[Row]
    next_offset: int | None


class Problem(BaseModel):
    """The error of a request."""

    detail: str


class SimulationRow(Record):
    """A simulation with its latest run."""

    simulation: str
    runs: int
    run_id: Annotated[UUID, Field(description="The latest run.")]
    first_seen_at: Annotated[datetime, Field(description="When its first record was stored.")]
    closed_at: Annotated[
        datetime | None, Field(description="When all of it was stored; null while it runs.")
    ]
    currency: Annotated[
        str | None,
        Field(description="ISO 4217 code of all its money; null before an event with a product."),
    ]


class Kpis(Record):
    """The shop in one row: `mart.kpis`."""

    simulation: str
    visitors: int | None
    sessions: int
    converted_sessions: int
    conversion_percent: Percent
    orders: int
    revenue: Money
    average_order_value: Money | None
    bounce_percent: Percent
    abandonment_percent: Percent
    events_per_session: float | None
    average_duration_seconds: Seconds


class Hour(Kpis):
    """The shop in an hour in which sessions began: `mart.kpis_hour`."""

    hour: datetime


class Step(Record):
    """A step on the way to an order: `mart.funnel`."""

    step: int
    name: str
    sessions: int
    percent_of_all: Percent
    percent_of_previous: Percent


class TrafficMinute(Record):
    """A minute of event time: `mart.traffic_minute`, summed."""

    minute: datetime
    events: int
    sessions: Annotated[int, Field(description="Sessions begun.")]
    orders: int
    revenue: Money


class Product(Record):
    """A product, with its views, carts and orders: `mart.top_products`."""

    product_id: str
    product_name: str | None
    category: str | None
    views: int
    carts: int
    orders: int
    pieces: int
    revenue: Money
    view_to_cart_percent: Percent
    cart_to_purchase_percent: Percent


class Segment(Record):
    """Sessions of one country, device or channel: `mart.sessions_hour`, summed."""

    key: Annotated[str, Field(description="The country's code, the device or the channel.")]
    name: Annotated[str, Field(description="As people say it.")]
    sessions: int
    converted_sessions: int
    conversion_percent: Percent
    orders: int
    revenue: Money


class Session(Record):
    """A session: `mart.fact_sessions`."""

    session_id: UUID
    user_id: str
    persona: str
    country: str
    city: str
    device: str
    browser: str
    channel: str
    started_at: datetime
    last_event_at: datetime
    entry_page: str
    exit_page: str
    events: int
    pages: int
    orders: int
    revenue: Money
    value_left: Annotated[
        Money, Field(description="Left in the cart, in the currency of the simulation.")
    ]
    duration_seconds: float
    is_bounce: bool
    is_converted: bool
    is_abandoned: bool
    is_final: bool


class SessionPage(BaseModel):
    """Sessions, and the cursor of the next page; null if this is the last."""

    items: list[Session]
    next_cursor: str | None


class Latency(Record):
    """Latency from event time to the row in `raw.events`, per run: `ops.latency`."""

    run_id: UUID
    events: int
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


class ShardIntegrity(Record):
    """A shard: `ops.integrity`."""

    run_id: UUID
    shard: int
    sent_events: int
    planted_losses: int
    stored_events: int | None
    missing_events: Annotated[
        int, Field(description="In the ledger and not stored: under way, or lost.")
    ]
    unconfirmed_events: Annotated[int, Field(description="Stored and not in the ledger yet.")]


class Total(Record):
    """One figure with its three totals: by ledger, by event, and by session."""

    figure: Literal["events", "orders", "revenue"]
    ledger: Annotated[Decimal, Field(description="Of the ledger: `ops.ledger`.")]
    traffic: Annotated[Decimal, Field(description="Event by event: `mart.traffic_day`.")]
    sessions: Annotated[Decimal, Field(description="Session by session: `mart.sessions_hour`.")]


class Integrity(Record):
    """Sent events compared with stored events."""

    sent_events: int
    planted_losses: int
    stored_events: int
    missing_events: int
    unconfirmed_events: int
    rejected_records: Annotated[int, Field(description="Of all simulations.")]
    totals: list[Total]
    shards: list[ShardIntegrity]


class Verification(Record):
    """The last verification of `spec.verification`: the operator's metrics."""

    differences: Annotated[int, Field(description="0 if tables and ledger agree.")]
    verified_at: datetime


class Pulse(Record):
    """The present figures of a simulation, which the live stream sends every second."""

    at: datetime
    run_id: UUID
    closed_at: datetime | None
    target_per_second: Annotated[
        float | None, Field(description="Events per second wanted; null before the ledger's word.")
    ]
    stored_per_second: Annotated[
        float | None, Field(description="Events stored per second lately; null at the beginning.")
    ]
    stored_events: Annotated[int, Field(description="Of this run.")]
    waiting_events: Annotated[int, Field(description="Sent, and not stored yet.")]
    rejected_records: Annotated[int, Field(description="Of all simulations.")]
    p50_seconds: Seconds
    p95_seconds: Seconds
    kpis: Kpis | None
