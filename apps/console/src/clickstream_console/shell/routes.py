"""The API's routes: each takes parameters, and answers with rows of a view.

Owns paths and status codes.
"""

# FastAPI reads the annotations when it makes the routes, so they must not be postponed here.
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from clickstream_console.core import questions
from clickstream_console.core.parameters import (
    Cursor,
    LatencyAsked,
    OfSimulation,
    Paged,
    ProductsAsked,
    SessionsAsked,
    Since,
    TimelineAsked,
)
from clickstream_console.core.questions import Question
from clickstream_console.core.records import (
    Hour,
    Integrity,
    Kpis,
    Latency,
    Page,
    Problem,
    Product,
    Pulse,
    Segment,
    SessionPage,
    ShardIntegrity,
    SimulationRow,
    Step,
    Total,
    TrafficMinute,
    Verification,
)
from clickstream_console.errors import DatabaseAway, SimulationUnknown
from clickstream_console.shell.database import Database, Rows
from clickstream_console.shell.live import TICK_SECONDS, Live

__all__ = ["RETRY_SECONDS", "api"]

RETRY_SECONDS = 2
"""When a client should ask again while the database is away."""

api = APIRouter(
    prefix="/api/v1",
    responses={
        404: {"model": Problem, "description": "No run of that simulation is known."},
        503: {
            "model": Problem,
            "description": "The database is away, or too many listen.",
            "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
        },
    },
)


def _database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


Asks = Annotated[Database, Depends(_database)]


async def _answer(database: Database, asked: OfSimulation, question: Question) -> Rows:
    """Return the rows; an unknown simulation is an error, one without rows is not."""
    rows = await database.answer(question)
    if not rows and not await database.answer(questions.known(asked)):
        raise SimulationUnknown(asked.simulation)
    return rows


def _page(rows: Rows, asked: Paged) -> dict[str, Any]:
    """Return the page without its extra row, which shows whether there is a next page."""
    is_more = len(rows) > asked.limit
    return {
        "items": rows[: asked.limit],
        "next_offset": asked.offset + asked.limit if is_more else None,
    }


@api.get("/simulations", response_model=Page[SimulationRow])
async def simulations(database: Asks, asked: Annotated[Paged, Query()]) -> object:
    """Simulations with their latest run, the latest first."""
    return _page(await database.answer(questions.simulations(asked)), asked)


@api.get("/kpis", response_model=Kpis | None)
async def kpis(database: Asks, asked: Annotated[OfSimulation, Query()]) -> object:
    """The shop in one row; null before the first session."""
    rows = await _answer(database, asked, questions.kpis(asked))
    return rows[0] if rows else None


@api.get("/kpis/hourly", response_model=Page[Hour])
async def hours(database: Asks, asked: Annotated[TimelineAsked, Query()]) -> object:
    """The shop hour by hour, the latest first."""
    return _page(await _answer(database, asked, questions.hours(asked)), asked)


@api.get("/funnel", response_model=list[Step])
async def funnel(database: Asks, asked: Annotated[OfSimulation, Query()]) -> object:
    """How many sessions came to each step on the way to an order."""
    return await _answer(database, asked, questions.funnel(asked))


@api.get("/traffic", response_model=Page[TrafficMinute])
async def traffic(database: Asks, asked: Annotated[TimelineAsked, Query()]) -> object:
    """Events, sessions, orders and revenue minute by minute, the latest first."""
    return _page(await _answer(database, asked, questions.minutes(asked)), asked)


@api.get("/products", response_model=Page[Product])
async def products(database: Asks, asked: Annotated[ProductsAsked, Query()]) -> object:
    """Products with their views, carts and purchases."""
    return _page(await _answer(database, asked, questions.products(asked)), asked)


@api.get("/countries", response_model=list[Segment])
async def countries(database: Asks, asked: Annotated[Since, Query()]) -> object:
    """Sessions, orders and revenue by country."""
    return await _answer(database, asked, questions.segments(questions.COUNTRIES, asked))


@api.get("/devices", response_model=list[Segment])
async def devices(database: Asks, asked: Annotated[Since, Query()]) -> object:
    """Sessions, orders and revenue by device."""
    return await _answer(database, asked, questions.segments(questions.DEVICES, asked))


@api.get("/channels", response_model=list[Segment])
async def channels(database: Asks, asked: Annotated[Since, Query()]) -> object:
    """Sessions, orders and revenue by channel."""
    return await _answer(database, asked, questions.segments(questions.CHANNELS, asked))


@api.get("/sessions", response_model=SessionPage)
async def sessions(database: Asks, asked: Annotated[SessionsAsked, Query()]) -> object:
    """Sessions, the latest first."""
    rows = await _answer(database, asked, questions.sessions(asked))
    shown = rows[: asked.limit]
    is_more = len(rows) > asked.limit
    cursor = Cursor.write(shown[-1]["started_at"], shown[-1]["session_id"]) if is_more else None
    return {"items": shown, "next_cursor": cursor}


@api.get("/latency", response_model=list[Latency])
async def latency(database: Asks, asked: Annotated[LatencyAsked, Query()]) -> object:
    """Latency from event time to the row, per run."""
    return await _answer(database, asked, questions.latency(asked))


@api.get("/integrity", response_model=Integrity)
async def integrity(database: Asks, asked: Annotated[OfSimulation, Query()]) -> object:
    """Sent events compared with stored events."""
    shards = [
        ShardIntegrity(**row) for row in await _answer(database, asked, questions.shards(asked))
    ]
    totals = await database.answer(questions.totals(asked))
    return Integrity(
        sent_events=sum(row.sent_events for row in shards),
        planted_losses=sum(row.planted_losses for row in shards),
        stored_events=sum(row.stored_events or 0 for row in shards),
        missing_events=sum(row.missing_events for row in shards),
        unconfirmed_events=sum(row.unconfirmed_events for row in shards),
        rejected_records=totals[0]["rejected_records"],
        totals=[Total(**row) for row in totals],
        shards=shards,
    )


@api.get("/verification", response_model=Verification | None)
async def verification(
    request: Request, database: Asks, asked: Annotated[OfSimulation, Query()]
) -> object:
    """The last verification on a cluster; null without one."""
    if not await database.answer(questions.known(asked)):
        raise SimulationUnknown(asked.simulation)
    found: Verification | None = await request.app.state.operator.verification(asked.simulation)
    return found


async def _listening(
    request: Request, database: Asks, asked: Annotated[OfSimulation, Query()]
) -> AsyncIterator[AsyncIterator[Pulse | DatabaseAway]]:
    """Count a listener from the start of the answer to its end."""
    live: Live = request.app.state.live
    if not await database.answer(questions.known(asked)):
        raise SimulationUnknown(asked.simulation)
    with live.listener(request.client.host if request.client else ""):
        yield live.pulses(asked)


@api.get("/live", response_class=EventSourceResponse)
async def live(
    pulses: Annotated[AsyncIterator[Pulse | DatabaseAway], Depends(_listening)],
) -> AsyncIterator[ServerSentEvent]:
    """The latest run's figures, once per second.

    Events are named `pulse`, with a Pulse as JSON, or `away` with a Problem while the database
    does not answer; the stream stays open and continues when the database is back.
    """
    retry = round(1_000 * TICK_SECONDS)
    async for pulse in pulses:
        if isinstance(pulse, Pulse):
            yield ServerSentEvent(event="pulse", data=pulse, retry=retry)
        else:
            yield ServerSentEvent(event="away", data=Problem(detail=str(pulse)), retry=retry)
