"""Conversion of records: nothing is invented, and a planted fault stays one."""

from __future__ import annotations

import json

import pytest
from clickstream_generator.core.form_conversion import Converter, parsed
from clickstream_generator.core.form_rows import Form, Post, Row
from clickstream_generator.core.form_tables import FORMS
from form_events import broken_records, one_of_each

NO_JSON = ("corrupt_not_json", "corrupt_truncated", "corrupt_bad_encoding", "corrupt_no_value")
NAMED = [name for name in FORMS if name != "native"]


def _form(*rows: Row, others: str | None = None, texts: tuple[str, ...] = ()) -> Form:
    return Form("own", "", (), rows, Post("text/plain"), others=others, texts=texts)


def test_rows_make_a_record() -> None:
    """Objects, lists of lines, lists of one, constants, names and texts are built from rows."""
    event = {
        "event_name": "purchase",
        "items": [{"brand": "A", "price_minor": 150}, {"brand": "B", "price_minor": 5}],
        "order_id": "o",
    }
    form = _form(
        Row("a.kind", "event_name", names={"purchase": "Order"}),
        Row("a.order[0].id", "order_id"),
        Row("a.campaign", "campaign"),
        Row("lines[].brand", "items[].brand"),
        Row("lines[].price", "items[].price_minor", "decimal"),
        Row("lines[].unit", constant="EUR"),
        Row("text.id", "order_id"),
        Row("type", "event_name", names={"search": "s"}, otherwise="other"),
        texts=("text",),
    )

    assert json.loads(Converter(form).convert(json.dumps(event).encode()) or b"") == {
        "a": {"kind": "Order", "order": [{"id": "o"}]},
        "lines": [
            {"brand": "A", "price": 1.5, "unit": "EUR"},
            {"brand": "B", "price": 0.05, "unit": "EUR"},
        ],
        "text": '{"id":"o"}',
        "type": "other",
    }


def test_empty_objects_are_left_out() -> None:
    """An object without a value does not appear."""
    form = _form(Row("a.b", "campaign"), Row("c[0].d", "campaign"), Row("e[].f", "items[].brand"))
    assert Converter(form).members({"event_name": "purchase"}) == {}


@pytest.mark.parametrize("others", ["", "a.b", "c[0]"])
def test_unknown_fields_are_kept(others: str) -> None:
    """A field that the contract does not have stays, at the form's place for others."""
    made = Converter(_form(Row("id", "event_id"), others=others)).members(
        {"event_id": "1", "event_name": "search", "padding": "x"}
    )
    places = {"": made, "a.b": made.get("a", {}).get("b"), "c[0]": made.get("c", [None])[0]}
    assert made["id"] == "1"
    assert places[others]["padding"] == "x"


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("fault", NO_JSON)
def test_record_that_is_no_json_stays(name: str, fault: str) -> None:
    """A record that is no JSON passes through every form."""
    value = broken_records()[fault]
    assert parsed(value) is None
    assert Converter(FORMS[name]).convert(value) == value


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("fault", [name for name in broken_records() if name not in NO_JSON])
def test_field_fault_is_carried_over(name: str, fault: str) -> None:
    """A fault in a field makes another record in every form, and never a valid one of another."""
    converter = Converter(FORMS[name])
    good = converter.convert(one_of_each()["purchase"])
    bad = converter.convert(broken_records()[fault])
    assert bad != good
    text = (bad or b"").decode()
    signs = {
        "corrupt_nul": "\\u0000",
        "corrupt_wrong_type": '"many"',
        "corrupt_unknown_value": "teleport",
        "corrupt_unknown_version": "99",
        "corrupt_oversized": "x" * 65_536,
        "corrupt_missing_field": "",
    }
    assert signs[fault] in text


def test_list_is_no_record() -> None:
    """JSON that is no object is no record."""
    assert parsed(b"[1]") is None
    assert parsed(None) is None
