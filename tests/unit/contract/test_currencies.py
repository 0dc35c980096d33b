"""The currencies of shops."""

from __future__ import annotations

import pytest
from clickstream_contract.currencies import CURRENCIES, DEFAULT_CURRENCY, MINOR_UNITS
from faker.providers.currency import Provider


def test_currencies_are_known() -> None:
    """Each currency has an ISO 4217 code, and the default has the price level 1."""
    codes = {code for code, _ in Provider.currencies}

    assert CURRENCIES.keys() <= codes
    assert CURRENCIES[DEFAULT_CURRENCY] == 1
    assert next(iter(CURRENCIES)) == DEFAULT_CURRENCY


@pytest.mark.parametrize("code", CURRENCIES)
def test_amounts_fit(code: str) -> None:
    """The dearest generated product is far below the highest price of an event."""
    assert 1 <= CURRENCIES[code] <= 100
    assert 5_000 * CURRENCIES[code] * MINOR_UNITS < 1_000_000_000
