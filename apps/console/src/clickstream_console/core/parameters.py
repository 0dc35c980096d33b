"""The parameters of the API, with their bounds.

Owns names, patterns and limits; an unknown parameter is rejected by name.
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003  pydantic reads the fields' types
from typing import Annotated, Literal
from uuid import UUID

from clickstream_contract.events import field
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo  # noqa: TC002  same

__all__ = [
    "Cursor",
    "LatencyAsked",
    "OfSimulation",
    "Paged",
    "ProductsAsked",
    "SessionsAsked",
    "Since",
    "TimelineAsked",
]

MAX_ROWS = 500
MAX_OFFSET = 10_000
_NO_NUL = r"^[^\x00]*$"
_CURSOR = r"^[0-9]{1,16}\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_WHOLE = re.compile(r"-?\d+(\.0+)?", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d.*", re.ASCII)


def _is_date_time(value: object) -> object:
    """Reject values that pydantic would also accept: dates without a time, numbers of seconds."""
    if not (isinstance(value, str) and _DATE_TIME.fullmatch(value)):
        raise ValueError("it must be a time with its zone, such as 2026-11-25T12:00:00Z")
    return value


def _is_whole(value: object) -> object:
    """Reject underscores and spaces, which pydantic accepts; 3.0 is whole in JSON."""
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise ValueError("it must be a whole number, in digits")
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_is_date_time)]
# Bounds come before it: after it they would be missing in the OpenAPI document.
_DIGITS = BeforeValidator(_is_whole)
Limit = Annotated[int, Field(ge=1, le=MAX_ROWS, description="Most rows to answer with."), _DIGITS]


def _text_of(name: str) -> FieldInfo:
    """Return the bounds of an event's text field, which are those of the stored values."""
    info: FieldInfo = Field(
        min_length=1,
        max_length=field(name).max_length,
        pattern=_NO_NUL,  # PostgreSQL cannot store this character
        description=field(name).doc,
    )
    return info


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paged(_Asked):
    """A page of rows."""

    limit: Limit = 50
    offset: Annotated[
        int, Field(ge=0, le=MAX_OFFSET, description="Rows to leave out."), _DIGITS
    ] = 0


class OfSimulation(_Asked):
    """One simulation."""

    simulation: Annotated[str, _text_of("simulation")]


class Since(OfSimulation):
    """One simulation, since an hour."""

    since: Annotated[Time | None, Field(description="Only sessions begun at or after this.")] = None


class TimelineAsked(Paged, OfSimulation):
    """A page of times, the latest first."""

    since: Annotated[Time | None, Field(description="Only times at or after this.")] = None
    until: Annotated[Time | None, Field(description="Only times before this.")] = None


class ProductsAsked(Paged, OfSimulation):
    """A page of products, sorted by a figure, the highest first."""

    sort: Annotated[
        Literal["revenue", "orders", "pieces", "carts", "views"],
        Field(description="What there must be most of in the first rows."),
    ] = "revenue"
    category: Annotated[str | None, _text_of("category")] = None


class LatencyAsked(OfSimulation):
    """The time over which latency is measured."""

    window_seconds: Annotated[
        int | None,
        Field(ge=1, le=3_600, description="Only events of the last so many seconds; else all."),
        _DIGITS,
    ] = None


class SessionsAsked(OfSimulation):
    """A page of sessions, the latest first."""

    limit: Limit = 50
    cursor: Annotated[
        str | None, Field(pattern=_CURSOR, description="`next_cursor` of the page before.")
    ] = None
    country: Annotated[str | None, _text_of("country")] = None
    device: Annotated[str | None, _text_of("device")] = None
    channel: Annotated[str | None, _text_of("channel")] = None
    outcome: Annotated[
        Literal["converted", "abandoned", "bounced"] | None,
        Field(
            description="Only sessions that bought, left a filled cart, or saw one page at most."
        ),
    ] = None


class Cursor:
    """Where a page of sessions ended: microseconds of Unix time and the session, as text."""

    @staticmethod
    def write(started_at: datetime, session_id: UUID) -> str:
        """Return the cursor after a session."""
        whole, micros = int(started_at.timestamp() // 1), started_at.microsecond
        return f"{max(0, whole * 1_000_000 + micros)}.{session_id}"

    @staticmethod
    def read(text: str) -> tuple[int, UUID]:
        """Return microseconds and session of a cursor of the right form."""
        micros, _, session_id = text.partition(".")
        return int(micros), UUID(session_id)
