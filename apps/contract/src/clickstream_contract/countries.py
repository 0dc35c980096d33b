"""The countries of users.

Owns their codes, offsets from UTC and languages. Offsets are the standard time of the largest time
zone, so that a simulation is the same in summer and winter. Faker makes the cities' names from the
locale.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COUNTRIES", "DEFAULT_LOCALE", "LOCALES", "Country"]


@dataclass(frozen=True)
class Country:
    """One country."""

    code: str
    """ISO 3166-1 alpha-2."""
    name: str
    utc_offset_minutes: int
    language: str
    """BCP 47 tag of the most common language."""
    faker_locale: str
    """The locale in Faker (https://faker.readthedocs.io/en/master/locales.html)."""


COUNTRIES: dict[str, Country] = {
    row.code: row
    for row in (
        Country("AT", "Austria", 60, "de-AT", "de_AT"),
        Country("AU", "Australia", 600, "en-AU", "en_AU"),
        Country("BR", "Brazil", -180, "pt-BR", "pt_BR"),
        Country("CA", "Canada", -300, "en-CA", "en_CA"),
        Country("CH", "Switzerland", 60, "de-CH", "de_CH"),
        Country("DE", "Germany", 60, "de-DE", "de_DE"),
        Country("DK", "Denmark", 60, "da-DK", "da_DK"),
        Country("ES", "Spain", 60, "es-ES", "es_ES"),
        Country("FI", "Finland", 120, "fi-FI", "fi_FI"),
        Country("FR", "France", 60, "fr-FR", "fr_FR"),
        Country("GB", "United Kingdom", 0, "en-GB", "en_GB"),
        Country("IE", "Ireland", 0, "en-IE", "en_IE"),
        Country("IN", "India", 330, "en-IN", "en_IN"),
        Country("IT", "Italy", 60, "it-IT", "it_IT"),
        Country("JP", "Japan", 540, "ja-JP", "ja_JP"),
        Country("MX", "Mexico", -360, "es-MX", "es_MX"),
        Country("NL", "Netherlands", 60, "nl-NL", "nl_NL"),
        Country("NO", "Norway", 60, "nb-NO", "no_NO"),
        Country("PL", "Poland", 60, "pl-PL", "pl_PL"),
        Country("PT", "Portugal", 0, "pt-PT", "pt_PT"),
        Country("SE", "Sweden", 60, "sv-SE", "sv_SE"),
        Country("US", "United States", -300, "en-US", "en_US"),
    )
}
"""The countries, by code."""

DEFAULT_LOCALE = "en-US"
_SHOP_LANGUAGES = {"de", "en", "es", "fr", "it", "nl", "pt"}
"""The languages in which the generator can name products."""

LOCALES: dict[str, str] = {
    row.language: row.faker_locale
    for row in COUNTRIES.values()
    if row.language.partition("-")[0] in _SHOP_LANGUAGES
}
"""The locales of shops: by BCP 47 tag, the locale in Faker."""
