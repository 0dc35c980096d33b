"""The named conversions of values between an event and a form.

Owns the conversions. A value that a conversion does not understand stays as it is, so that a
planted fault stays in the record.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from clickstream_contract.currencies import MINOR_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CONVERSIONS", "convert"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND, _MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
_SHOP = "https://shop.example"
_NUMBER_DIGITS = 15
"""Hexadecimal digits of an id that fit into a signed 64-bit number."""


def convert(name: str, value: Any, record: Mapping[str, Any]) -> Any:  # noqa: ANN401  JSON values
    """Return the converted value; a value of another type is returned as it is."""
    try:
        return CONVERSIONS[name](value, record)
    except (TypeError, ValueError, AttributeError):
        return value


def _decimal(value: Any, _record: Mapping[str, Any]) -> float:  # noqa: ANN401  a JSON value
    """An amount in units of its currency."""
    return float(value / MINOR_UNITS)


def _micros(value: Any, _record: Mapping[str, Any]) -> int:  # noqa: ANN401  a JSON value
    """A time as Unix microseconds."""
    return (datetime.fromisoformat(value) - _EPOCH) // _MICROSECOND


def _millis(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """A time as Unix milliseconds, written as text."""
    return str((datetime.fromisoformat(value) - _EPOCH) // _MILLISECOND)


def _text(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """A number as text."""
    return str(value)


def _url(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """The address of a page of the shop."""
    return _SHOP + quote(value)


def _number(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """The last 60 bits of an id as decimal digits."""
    return str(int(value.replace("-", "")[-_NUMBER_DIGITS:], 16))


def _client(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """The number of a user, plus 1, and `.1`: two positive numbers joined by a period."""
    return f"{int(value.removeprefix('u')) + 1}.1"


def _source(value: Any, record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """Simulation and run as a path."""
    return f"/simulations/{record.get('simulation')}/runs/{value}"


def _type(value: Any, _record: Mapping[str, Any]) -> str:  # noqa: ANN401  a JSON value
    """An event name as a CloudEvents type."""
    return f"dev.clickstream.{value}"


CONVERSIONS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "decimal": _decimal,
    "micros": _micros,
    "millis": _millis,
    "text": _text,
    "url": _url,
    "number": _number,
    "client": _client,
    "source": _source,
    "type": _type,
}
"""The conversions by name; the first line of each one's docstring is its documentation."""
