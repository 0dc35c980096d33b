"""Conversions of single values."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_generator.core.form_conversions import CONVERSIONS, convert
from hypothesis import given, settings
from hypothesis import strategies as st

VALUES = [
    ("client", "u366", "367.1"),
    ("decimal", 1999, 19.99),
    ("micros", "2026-11-27T00:00:00.001Z", 1_795_737_600_001_000),
    ("millis", "2026-11-27T00:00:00.001Z", "1795737600001"),
    ("text", 3, "3"),
    ("url", "/p/ä b", "https://shop.example/p/%C3%A4%20b"),
    ("number", "0a0b0c0d-0000-8000-8000-000000000011", "17"),
    ("number", "0a0b0c0d-0000-8000-7fff-ffffffffffff", str(2**60 - 1)),
    ("source", "r1", "/simulations/shop/runs/r1"),
    ("type", "purchase", "dev.clickstream.purchase"),
]


@pytest.mark.parametrize(("name", "value", "converted"), VALUES)
def test_value_is_converted(name: str, value: object, converted: object) -> None:
    """Each conversion gives its value."""
    assert convert(name, value, {"simulation": "shop"}) == converted


def test_every_conversion_is_tested_and_described() -> None:
    """Each conversion has a value above, and a sentence for the documentation."""
    assert {row[0] for row in VALUES} == CONVERSIONS.keys()
    assert all((function.__doc__ or "").endswith(".") for function in CONVERSIONS.values())


@pytest.mark.parametrize("name", ["decimal", "micros", "millis", "url", "number"])
def test_unknown_value_stays(name: str) -> None:
    """A value of another type, which a planted fault has made, stays as it is."""
    for value in ({"a": 1}, ["many"]):
        assert convert(name, value, {}) == value


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=0, max_value=10**12))
def test_cents_stay_exact(cents: int) -> None:
    """A decimal number has the cents that it was made from."""
    made: Any = convert("decimal", cents, {})
    assert round(100 * made) == cents
    assert f"{made:.2f}" == f"{cents // 100}.{cents % 100:02d}"
