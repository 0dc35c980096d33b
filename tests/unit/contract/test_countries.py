"""Countries: codes, offsets and languages that belong together."""

from __future__ import annotations

import pytest
from clickstream_contract.countries import COUNTRIES, DEFAULT_LOCALE, LOCALES
from faker.config import AVAILABLE_LOCALES

OFFSETS = {
    "AT": 60, "AU": 600, "BR": -180, "CA": -300, "CH": 60, "DE": 60, "DK": 60, "ES": 60,
    "FI": 120, "FR": 60, "GB": 0, "IE": 0, "IN": 330, "IT": 60, "JP": 540, "MX": -360, "NL": 60,
    "NO": 60, "PL": 60, "PT": 0, "SE": 60, "US": -300,
}  # fmt: skip


def test_offsets_are_standard_time() -> None:
    """Each country has the offset of standard time in its largest zone."""
    assert {code: row.utc_offset_minutes for code, row in COUNTRIES.items()} == OFFSETS


@pytest.mark.parametrize("code", OFFSETS)
def test_language_is_of_country(code: str) -> None:
    """The language tag names the country, and Faker knows the locale."""
    country = COUNTRIES[code]

    assert country.code == code
    assert country.language.endswith(f"-{code}")
    assert country.faker_locale.endswith(f"_{code}")
    assert country.faker_locale in AVAILABLE_LOCALES
    assert country.name


def test_shops_are_in_countries() -> None:
    """A shop's locale is the language of a country, with that country's locale in Faker."""
    assert DEFAULT_LOCALE in LOCALES
    assert LOCALES.items() <= {(row.language, row.faker_locale) for row in COUNTRIES.values()}
