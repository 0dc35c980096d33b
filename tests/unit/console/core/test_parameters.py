"""The API's parameters and their bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from clickstream_console.core.parameters import (
    MAX_OFFSET,
    MAX_ROWS,
    Cursor,
    LatencyAsked,
    OfSimulation,
    Paged,
    ProductsAsked,
    SessionsAsked,
    Since,
    TimelineAsked,
)
from clickstream_contract.events import field
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

if TYPE_CHECKING:
    from pydantic import BaseModel

_SESSION = UUID("00000000-0000-4000-8000-000000000001")
_SHOP: dict[str, Any] = {"simulation": "shop"}


def _is_taken(kind: type[BaseModel], **values: object) -> bool:
    try:
        kind.model_validate(values)
    except ValidationError:
        return False
    return True


def test_defaults_are_documented() -> None:
    """Only the simulation must be named; the rest has these defaults."""
    assert Paged().model_dump() == {"limit": 50, "offset": 0}
    assert Since(**_SHOP).model_dump() == {**_SHOP, "since": None}
    assert TimelineAsked(**_SHOP).model_dump() == {
        **_SHOP, "limit": 50, "offset": 0, "since": None, "until": None,
    }  # fmt: skip
    assert ProductsAsked(**_SHOP).model_dump() == {
        **_SHOP, "limit": 50, "offset": 0, "sort": "revenue", "category": None,
    }  # fmt: skip
    assert LatencyAsked(**_SHOP).model_dump() == {**_SHOP, "window_seconds": None}
    assert SessionsAsked(**_SHOP).model_dump() == {
        **_SHOP, "limit": 50, "cursor": None, "country": None, "device": None, "channel": None,
        "outcome": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "name", "low", "high"),
    [
        (Paged, {}, "limit", 1, 500),
        (Paged, {}, "offset", 0, 10_000),
        (SessionsAsked, _SHOP, "limit", 1, 500),
        (LatencyAsked, _SHOP, "window_seconds", 1, 3_600),
    ],
)
def test_numbers_are_bounded(
    kind: type[BaseModel], given: dict[str, Any], name: str, low: int, high: int
) -> None:
    """A number is taken from its least to its greatest value, and refused beyond both."""
    assert _is_taken(kind, **given, **{name: str(low)})
    assert _is_taken(kind, **given, **{name: str(high)})
    assert not _is_taken(kind, **given, **{name: str(low - 1)})
    assert not _is_taken(kind, **given, **{name: str(high + 1)})
    assert (MAX_ROWS, MAX_OFFSET) == (500, 10_000)


@pytest.mark.parametrize("text", ["1_0", " 5", "5 ", "", "1e2", "3.5", "\u0663", "x"])
def test_odd_numbers_are_refused(text: str) -> None:
    """A number is digits alone: what Python reads besides is refused."""
    assert not _is_taken(Paged, limit=text)


def test_whole_decimals_are_taken() -> None:
    """JSON makes no difference between 3 and 3.0."""
    assert Paged.model_validate({"limit": "3.0"}).limit == 3
    assert Paged.model_validate({"limit": 3}).limit == 3


def test_unknown_names_are_refused() -> None:
    """A parameter that is misspelt is an error, not a default."""
    assert not _is_taken(OfSimulation, simulation="shop", limitt="1")
    assert not _is_taken(Paged, page="1")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_stored_names_are_taken(text: str) -> None:
    """A text that the stream stores as a simulation or a category can be asked for."""
    simulation, category = text[: field("simulation").max_length], text[:64]

    assert _is_taken(ProductsAsked, simulation=simulation, category=category)


@pytest.mark.parametrize("name", ["", "a" * 128, "a\0b"])
def test_other_names_are_refused(name: str) -> None:
    """A text that the stream refuses as a simulation's name is not looked up."""
    assert not _is_taken(OfSimulation, simulation=name)


@pytest.mark.parametrize("text", ["2026-11-25T12:00:00Z", "2026-11-25t12:00:00.5+01:00"])
def test_times_have_a_zone(text: str) -> None:
    """A time in the form of RFC 3339 is taken with its zone."""
    found = Since.model_validate({**_SHOP, "since": text}).since

    assert found is not None
    assert found.tzinfo is not None
    assert found == datetime.fromisoformat(text)


@pytest.mark.parametrize(
    "text",
    ["2026-11-25", "2026-11-25T12:00:00", "1764072000", "12:00:00Z", "", "2026-13-01T00:00:00Z"],
)
def test_other_times_are_refused(text: str) -> None:
    """A day alone, a number of seconds and a time without its zone are no moments."""
    assert not _is_taken(Since, **_SHOP, since=text)


@pytest.mark.parametrize(
    ("kind", "name", "taken", "refused"),
    [
        (ProductsAsked, "sort", ["revenue", "orders", "pieces", "carts", "views"], ["price", ""]),
        (ProductsAsked, "category", ["Möbel", "Home & Garden", "a" * 64], ["", "a" * 65, "\0"]),
        (SessionsAsked, "country", ["DE", "d"], ["DEU", ""]),
        (SessionsAsked, "device", ["mobile"], ["", "a" * 257]),
        (SessionsAsked, "channel", ["paid_search", "Paid Search", "ö" * 64], ["", "ö" * 65]),
        (SessionsAsked, "outcome", ["converted", "abandoned", "bounced"], ["won", ""]),
        (SessionsAsked, "cursor", [f"0.{_SESSION}"], ["1", f".{_SESSION}", f"-1.{_SESSION}",
                                                     f"{'1' * 17}.{_SESSION}", f"1.{_SESSION}0"]),
    ],
)  # fmt: skip
def test_words_are_bounded(
    kind: type[BaseModel], name: str, taken: list[str], refused: list[str]
) -> None:
    """A filter takes the words that there can be, and refuses others by name."""
    assert [text for text in taken if not _is_taken(kind, **_SHOP, **{name: text})] == []
    assert [text for text in refused if _is_taken(kind, **_SHOP, **{name: text})] == []


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1970, 1, 1, 0, 0, 1, 7, tzinfo=UTC), "1000007"),
        (datetime(1970, 1, 1, tzinfo=UTC), "0"),
        (datetime(1969, 12, 31, tzinfo=UTC), "0"),
        (datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "0"),
    ],
)
def test_cursor_is_micros_and_session(moment: datetime, text: str) -> None:
    """A cursor is microseconds since 1970, never below 0, and the session."""
    assert Cursor.write(moment, _SESSION) == f"{text}.{_SESSION}"


@given(
    st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001  the strategy adds the zone
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    st.uuids(),
)
def test_cursor_is_read_back(started_at: datetime, session_id: UUID) -> None:
    """The moment is kept to the microsecond, and the text is one that the API takes."""
    text = Cursor.write(started_at, session_id)

    assert SessionsAsked(simulation="shop", cursor=text).cursor == text
    micros, again = Cursor.read(text)
    assert again == session_id
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros) == started_at
