"""Mapping files: own names, and what a wrong line gets."""

from __future__ import annotations

import json

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.own_mapping import mapping_form
from form_events import one_of_each

GOOD = """
id: event_id
on: event_time
user.key: user_id
lines[].sku: items[].product_id
skus[]: items[].product_id
users[0]: user_id
total: {field: value_minor, as: decimal}
action: {field: event_name, names: {purchase: Order}}
tenant: {constant: {name: shop}}
raw: "*"
"""


def test_own_names_are_used() -> None:
    """Fields, lists, conversions, names and constants come from the file."""
    native = json.loads(one_of_each()["purchase"])
    made = Converter(mapping_form(GOOD, "own.yaml")).members(native)

    assert made == {
        "id": native["event_id"],
        "on": native["event_time"],
        "user": {"key": native["user_id"]},
        "lines": [{"sku": row["product_id"]} for row in native["items"]],
        "skus": [row["product_id"] for row in native["items"]],
        "users": [native["user_id"]],
        "total": native["value_minor"] / 100,
        "action": "Order",
        "tenant": {"name": "shop"},
        "raw": native,
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "id: colour",
            "own.yaml, line 1, id: 'colour' is not allowed; an unknown field; use one of",
        ),
        (
            "a: user_id\n\na: city",
            "own.yaml, line 3: 'a' is not allowed; the target is filled twice",
        ),
        (
            "a: user_id\na.b: city",
            "own.yaml, line 2: 'a.b' is not allowed; the target is filled twice, also by a: remove",
        ),
        ("a b: user_id", "own.yaml, line 1: 'a b' is not allowed; a target has names separated"),
        ("a: 5", "own.yaml, line 1, a: 5 is not allowed; it must be a field"),
        (
            "a: {field: city, as: upper}",
            "own.yaml, line 1, a, as: 'upper' is not allowed; one of dec",
        ),
        ("a: {field: city, names: [1]}", "own.yaml, line 1, a, names: [1] is not allowed"),
        ("a: {field: city, name: x}", "own.yaml, line 1, a: 'name' is not allowed; one of field"),
        ("a: {field: city, constant: x}", "give either field or constant"),
        ("a: {as: text}", "give either field or constant"),
        ("a: {constant: null}", "a constant has no other keys"),
        ("a: {constant: 1, as: text}", "a constant has no other keys"),
        ("a[].b: city", "own.yaml, line 1, a[].b: 'city' is not allowed; a target with []"),
        ("a.b: items[].brand", "a target with [] gets a field of the order lines"),
        ("a: items[].city", "an unknown field"),
        ("- a", "own.yaml: 'no mapping' is not allowed"),
        ("", "own.yaml: 'no mapping' is not allowed"),
        ("a: [", "own.yaml, line 1: "),
        ("a: !!python/name:os.system x", "own.yaml, line 1: "),
        (".".join(33 * ["a"]) + ": city", "names separated by dots, at most 32"),
        ("a: {constant: !!binary aGk=}", "own.yaml, line 1, a: 'a constant' is not allowed"),
        ("a: {constant: {1: b}}", "it must be JSON of at most 10,000 bytes"),
        ("a: {constant: 36893488147419103232}", "it must be JSON of at most 10,000 bytes"),
        (f"a: {{constant: {'x' * 10_000}}}", "it must be JSON of at most 10,000 bytes"),
        ("a: {constant: &b [1]}\nc: {constant: *b}", "own.yaml: 'an alias' is not allowed"),
        ("a: {constant: " + 500 * "[", "own.yaml, line 1: "),
        ("a: {constant: " + 500 * "[" + 500 * "]" + "}", "own.yaml: 'too many levels' is not"),
        ("a: {constant: 2026-13-45}", "own.yaml: 'no YAML' is not allowed"),
        ("a: {field: city, names: {b: 1}}", "it must be VALUE: VALUE, all texts"),
    ],
)
def test_wrong_line_is_named(text: str, says: str) -> None:
    """A wrong line is refused with file, line, value and what to do."""
    with pytest.raises(SimulationInvalid) as refused:
        mapping_form(text, "own.yaml")
    assert says in str(refused.value)


def test_constant_may_have_10_000_bytes() -> None:
    """A constant of exactly the largest size is in every record."""
    form = mapping_form(f"a: {{constant: {'x' * 9_998}}}", "own.yaml")

    assert Converter(form).members({}) == {"a": "x" * 9_998}


def test_rows_are_in_the_key() -> None:
    """Two files with other rows are two forms."""
    keys = {mapping_form(f"id: {name}", "own.yaml").key for name in ("city", "country")}

    assert len(keys) == 2
