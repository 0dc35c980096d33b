"""The parser of a single record, which decides about all records that Arrow cannot parse in bulk.

Owns the three results: the text is not a JSON object, a field has the wrong type, or the record
fits the schema. This parser is slow, but few records need it.
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

__all__ = ["ParsedRecord", "parse_record"]

_INTEGER = re.compile(r"-?[0-9]+")
_BITS = {FieldType.INTEGER: 31, FieldType.BIGINT: 63}


class _Number(str):
    """The digits of a number as written: of any size, not rounded."""

    __slots__ = ()


class _TypeMismatchError(ValueError):
    """The value of a field has the wrong type."""


@dataclass(frozen=True)
class ParsedRecord:
    """A record that is a JSON object.

    Attributes:
        values: The values by field; an absent field is null.
        is_text_wrong: Whether a text field has another type; its value is the JSON then.
    """

    values: dict[str, Any]
    is_text_wrong: bool


def parse_record(value: bytes, fields: Sequence[Field]) -> ParsedRecord | RejectReason:
    """Return the parsed record, or the reason why it is rejected.

    Args:
        value: The text, in UTF-8.
        fields: The fields to read; others are ignored.
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
    except _TypeMismatchError:
        return RejectReason.WRONG_TYPE
    if any(_has_lone_surrogate(text) for text in _texts_of(row)):
        return RejectReason.BAD_ENCODING
    return ParsedRecord(row, bool(wrong_texts))


def _refuse(constant: str) -> Any:  # noqa: ANN401  it never returns; json asks for any value
    raise ValueError(constant)


def _row(found: dict[str, Any], fields: Sequence[Field], wrong_texts: list[str]) -> dict[str, Any]:
    return {field.name: _converted(found.get(field.name), field, wrong_texts) for field in fields}


def _converted(value: Any, field: Field, wrong_texts: list[str]) -> Any:  # noqa: ANN401  any JSON
    """Return a value in the type of its field."""
    if value is None:
        return None
    if field.type is FieldType.ITEMS:
        return _lines(value, wrong_texts)
    if field.type in _BITS:
        if not isinstance(value, _Number) or not _INTEGER.fullmatch(value) or len(value) > 20:
            raise _TypeMismatchError
        number = int(value)
        if not -(2 ** _BITS[field.type]) <= number < 2 ** _BITS[field.type]:
            raise _TypeMismatchError
        return number
    if isinstance(value, str) and not isinstance(value, _Number):
        return value
    # The rules of ids and times reject this text, since it does not match their formats.
    if field.type is FieldType.TEXT:
        wrong_texts.append(field.name)
    return str(value) if isinstance(value, _Number) else json.dumps(value)


def _lines(value: Any, wrong_texts: list[str]) -> list[dict[str, Any] | None]:  # noqa: ANN401  any JSON
    """Return the line items of an order."""
    if not isinstance(value, list) or not all(isinstance(line, dict | None) for line in value):
        raise _TypeMismatchError
    return [None if line is None else _row(line, ITEM_FIELDS, wrong_texts) for line in value]


def _texts_of(row: dict[str, Any]) -> list[str]:
    lines = [line for line in row.get("items") or () if line]
    return [text for part in (row, *lines) for text in part.values() if isinstance(text, str)]


def _has_lone_surrogate(text: str) -> bool:
    """Return whether a text contains half of a surrogate pair, which JSON can express."""
    return any("\ud800" <= character <= "\udfff" for character in text)
