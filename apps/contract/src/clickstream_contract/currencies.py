"""The currencies of shops.

Owns their codes and price levels. Amounts are whole numbers of a currency's minor unit, which is a
hundredth in each currency here (ISO 4217,
https://www.six-group.com/en/products-services/financial-information/market-reference-data/data-standards.html):
so a reader needs no table of decimals, and a currency without hundredths, such as JPY, is absent.
"""

from __future__ import annotations

__all__ = ["CURRENCIES", "DEFAULT_CURRENCY", "MINOR_UNITS"]

DEFAULT_CURRENCY = "EUR"
MINOR_UNITS = 100
"""Minor units of one unit of every currency."""

CURRENCIES: dict[str, float] = {
    DEFAULT_CURRENCY: 1,
    "AUD": 1.5,
    "BRL": 6,
    "CAD": 1.5,
    "CHF": 1,
    "CNY": 8,
    "CZK": 25,
    "DKK": 7.5,
    "GBP": 1,
    "INR": 100,
    "MXN": 20,
    "NOK": 12,
    "NZD": 2,
    "PLN": 4,
    "SEK": 12,
    "SGD": 1.5,
    "USD": 1,
}
"""By ISO 4217 code: the price level, units for what costs one euro.

Round numbers: generated prices are invented, and only their size must be plausible."""
