"""The parser of one record returns its values, or the reason why it is rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.topics import RejectReason
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.validation.record_parser import ParsedRecord, parse_record
from hypothesis import given
from hypothesis import strategies as st

FIELDS = (
    Field("name", FieldType.TEXT, ""),
    Field("id", FieldType.UUID, ""),
    Field("at", FieldType.TIMESTAMP, ""),
    Field("small", FieldType.INTEGER, ""),
    Field("large", FieldType.BIGINT, ""),
    Field("items", FieldType.ITEMS, ""),
)
ABSENT = dict.fromkeys(("name", "id", "at", "small", "large", "items"))
NO_LINE = dict.fromkeys(field.name for field in ITEM_FIELDS)


def _read(text: str | bytes) -> ParsedRecord | RejectReason:
    value = text if isinstance(text, bytes) else text.encode()
    return parse_record(value, FIELDS)


def _row(values: dict[str, Any], *, is_text_wrong: bool = False) -> ParsedRecord:
    return ParsedRecord(ABSENT | values, is_text_wrong)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{}", {}),
        (' \n{"name": "a"}\t', {"name": "a"}),
        ('{"name": null}', {}),
        ('{"other": [1, {"name": 2}]}', {}),
        ('{"name": 5, "name": "last"}', {"name": "last"}),
        ('{"na\\u006de": "a"}', {"name": "a"}),
        ('{"name": "\\ud83d\\ude00"}', {"name": "\U0001f600"}),
        ('{"name": ""}', {"name": ""}),
        ('{"small": -7, "large": 8}', {"small": -7, "large": 8}),
        ('{"small": -0}', {"small": 0}),
        ('{"items": []}', {"items": []}),
        ('{"items": [null]}', {"items": [None]}),
        ('{"items": [{}]}', {"items": [NO_LINE]}),
        (
            '{"items": [{"quantity": 2, "product_id": "p", "more": 1}]}',
            {"items": [NO_LINE | {"quantity": 2, "product_id": "p"}]},
        ),
    ],
)
def test_object_becomes_row(text: str, values: dict[str, Any]) -> None:
    """Fields have their types; an absent field is null, an unknown field is ignored."""
    assert _read(text) == _row(values)


@pytest.mark.parametrize(
    "text",
    ["", " ", "5", '"{}"', "null", "[]", "[{}]", "{}{}", "{} }", "{", "{'name': 1}", '{"name": }',
     '{"other": NaN}', '{"other": Infinity}', '{"other": -Infinity}', '{"name": "a\n"}',
     '{"small": 01}', '{"small": +1}'],
)  # fmt: skip
def test_other_text_is_not_json(text: str) -> None:
    """A text that is not exactly one JSON object is rejected as no JSON."""
    assert _read(text) is RejectReason.NOT_JSON


def test_endless_nesting_is_not_json() -> None:
    """Deep nesting in an unknown field is ignored until Python's parser gives up."""
    assert _read('{"other": ' + "[" * 500 + "]" * 500 + "}") == _row({})
    deep = "[" * 30_000 + "]" * 30_000
    assert _read(f'{{"other": {deep}}}') is RejectReason.NOT_JSON


def test_unwanted_number_has_any_size() -> None:
    """A number of thousands of digits in an unknown field is ignored."""
    assert _read('{"other": ' + "9" * 9_000 + "}") == _row({})


def test_bad_utf8_is_not_json() -> None:
    """Bytes that are not UTF-8 are no JSON; the caller checks the encoding before."""
    assert _read(b'{"name": "\xff"}') is RejectReason.NOT_JSON


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("small", 2**31 - 1),
        ("small", -(2**31)),
        ("large", 2**63 - 1),
        ("large", -(2**63)),
    ],
)
def test_integers_have_bounds(field: str, value: int) -> None:
    """A number at the bound of its type is kept; the next one is of the wrong type."""
    beyond = value + (1 if value > 0 else -1)

    assert _read(json.dumps({field: value})) == _row({field: value})
    assert _read(json.dumps({field: beyond})) is RejectReason.WRONG_TYPE


@pytest.mark.parametrize("field", ["small", "large"])
@pytest.mark.parametrize(
    "value", ["1.0", "1e0", "true", '"1"', "[1]", "{}", "9" * 21, "0.5", "1E2", "-1.0"]
)
def test_numbers_must_be_whole(field: str, value: str) -> None:
    """Only a number written as an integer fits an integer field."""
    assert _read(f'{{"{field}": {value}}}') is RejectReason.WRONG_TYPE


@pytest.mark.parametrize(
    "items",
    ["{}", "5", '"a"', "true", "[5]", '["a"]', "[[]]", '[{"quantity": "2"}]', "[{}, 5]",
     '[{"price_minor": 9223372036854775808}]'],
)  # fmt: skip
def test_order_lines_are_objects(items: str) -> None:
    """Items must be a list of objects or nulls, with valid numbers."""
    assert _read(f'{{"items": {items}}}') is RejectReason.WRONG_TYPE


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("5", "5"),
        ("1.50", "1.50"),
        ("1e400", "1e400"),
        ("true", "true"),
        ("[1, 2]", '["1", "2"]'),
        ('{"a": null}', '{"a": null}'),
    ],
)
def test_wrong_text_is_marked(value: str, stored: str) -> None:
    """A text field with another value keeps its JSON, and the row is marked."""
    assert _read(f'{{"name": {value}}}') == _row({"name": stored}, is_text_wrong=True)


@pytest.mark.parametrize("field", ["id", "at"])
def test_wrong_id_is_not_marked(field: str) -> None:
    """An id or a timestamp of another type is left to the rule of its format."""
    assert _read(f'{{"{field}": 5}}') == _row({field: "5"})


def test_wrong_text_in_line_is_marked() -> None:
    """A text of an order line counts as a text of the record."""
    found = _read('{"items": [{}, {"category": 5}]}')

    assert found == _row(
        {"items": [NO_LINE, NO_LINE | {"category": "5"}]},
        is_text_wrong=True,
    )


@pytest.mark.parametrize(
    "text",
    ['{"name": "\\ud800"}', '{"name": "a\\udfff"}', '{"id": "\\ud83d"}',
     '{"items": [null, {"category": "\\ude00"}]}', '{"items": [{}, {"product_id": "\\udc00b"}]}'],
)  # fmt: skip
def test_half_surrogate_is_rejected(text: str) -> None:
    """Half of a surrogate pair, in a text or in a line's text, is no character."""
    assert _read(text) is RejectReason.BAD_ENCODING


@pytest.mark.parametrize("character", ["\ud7ff", "\ue000"])
def test_surrogate_neighbours_are_kept(character: str) -> None:
    """The characters beside the surrogates are characters."""
    text = json.dumps({"name": character})

    assert _read(text) == _row({"name": character})


def test_surrogate_elsewhere_is_kept() -> None:
    """The value of an unknown field is ignored."""
    assert _read('{"other": "\\ud800"}') == _row({})


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_event_keeps_its_values(name: str) -> None:
    """A valid event is read as it was written."""
    event = sample_event(name)

    found = parse_record(json.dumps(event).encode(), EVENT_FIELDS)

    expected = dict.fromkeys(field.name for field in EVENT_FIELDS) | event
    assert found == ParsedRecord(expected, is_text_wrong=False)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": _TEXT,
            "small": st.integers(-(2**31), 2**31 - 1),
            "large": st.integers(-(2**63), 2**63 - 1),
            "other": _TEXT | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        },
    ),
    st.booleans(),
)
def test_values_come_back(values: dict[str, Any], is_ascii: bool) -> None:  # noqa: FBT001  drawn
    """The values come back, however JSON writes them."""
    found = _read(json.dumps(values, ensure_ascii=is_ascii))

    values.pop("other", None)
    assert found == _row(values)
