"""One record, read with care: the judge of all that cannot be read many at a time.

Owns what a single record's text is: no JSON object, an object with a field of another type, or
a row of the schema. It is slow, and needed for few. It does not know what values are allowed.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import ITEM_FIELDS
from clickstream_contract.fields import FieldType
from clickstream_contract.topics import RejectReason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.fields import Field

__all__ = ["Row", "read_carefully"]

_INTEGER = re.compile(r"-?[0-9]+")
_BITS = {FieldType.INTEGER: 31, FieldType.BIGINT: 63}


class _Number(str):
    """A number as it is written: of any size, and not rounded."""

    __slots__ = ()


class _UnfitError(ValueError):
    """The value of a field is of another type."""


@dataclass(frozen=True)
class Row:
    """A record that is an object.

    Attributes:
        values: By field; what is absent is null.
        is_text_wrong: Whether a field that should be text is not; its JSON stands for it.
    """

    values: dict[str, Any]
    is_text_wrong: bool


def read_carefully(value: bytes, fields: Sequence[Field]) -> Row | RejectReason:
    """Return what a record's text is.

    Args:
        value: The text, in UTF-8.
        fields: The fields that are wanted; others are passed over.
    """
    try:
        found = json.loads(
            value.decode(), parse_int=_Number, parse_float=_Number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        return RejectReason.NOT_JSON
    if not isinstance(found, dict):
        return RejectReason.NOT_JSON
    wrong_texts: list[str] = []
    try:
        row = _row(found, fields, wrong_texts)
    except _UnfitError:
        return RejectReason.WRONG_TYPE
    if any(_is_no_unicode(text) for text in _texts_of(row)):
        return RejectReason.BAD_ENCODING
    return Row(row, bool(wrong_texts))


def _refuse(constant: str) -> Any:  # noqa: ANN401  it never returns; json asks for any value
    raise ValueError(constant)


def _row(found: dict[str, Any], fields: Sequence[Field], wrong_texts: list[str]) -> dict[str, Any]:
    return {field.name: _fitted(found.get(field.name), field, wrong_texts) for field in fields}


def _fitted(value: Any, field: Field, wrong_texts: list[str]) -> Any:  # noqa: ANN401  any JSON
    """Return a value in its field's type."""
    if value is None:
        return None
    if field.type is FieldType.ITEMS:
        return _lines(value, wrong_texts)
    if field.type in _BITS:
        if not isinstance(value, _Number) or not _INTEGER.fullmatch(value) or len(value) > 20:
            raise _UnfitError
        number = int(value)
        if not -(2 ** _BITS[field.type]) <= number < 2 ** _BITS[field.type]:
            raise _UnfitError
        return number
    if isinstance(value, str) and not isinstance(value, _Number):
        return value
    # Ids and times have a form, which no such text has: their own rules find it.
    if field.type is FieldType.TEXT:
        wrong_texts.append(field.name)
    return str(value) if isinstance(value, _Number) else json.dumps(value)


def _lines(value: Any, wrong_texts: list[str]) -> list[dict[str, Any] | None]:  # noqa: ANN401  any JSON
    """Return the lines of an order."""
    if not isinstance(value, list) or not all(isinstance(line, dict | None) for line in value):
        raise _UnfitError
    return [None if line is None else _row(line, ITEM_FIELDS, wrong_texts) for line in value]


def _texts_of(row: dict[str, Any]) -> list[str]:
    lines = [line for line in row.get("items") or () if line]
    return [text for part in (row, *lines) for text in part.values() if isinstance(text, str)]


def _is_no_unicode(text: str) -> bool:
    """Say whether half of a surrogate pair stands alone in a text: JSON can write that."""
    return any("\ud800" <= character <= "\udfff" for character in text)
