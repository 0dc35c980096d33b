"""The words of shops: every language has all of them."""

from __future__ import annotations

from string import Formatter

import pytest
from clickstream_contract.countries import LOCALES
from clickstream_generator.core.catalog_words import QUALITIES, WORDS


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_locale_has_words() -> None:
    """The languages with words are those of the contract's locales."""
    assert WORDS.keys() == {locale.partition("-")[0] for locale in LOCALES}
    assert len(set(QUALITIES)) == len(QUALITIES)


@pytest.mark.parametrize("language", WORDS)
def test_languages_have_same_words(language: str) -> None:
    """As many goods, lines and terms as in English, all different, and with the same places."""
    words, english = WORDS[language], WORDS["en"]

    for name in ("goods", "lines", "terms"):
        own, other = getattr(words, name), getattr(english, name)
        assert len(set(own)) == len(own) == len(other), name
    assert list(map(_fields, words.terms)) == list(map(_fields, english.terms))
    assert (words.lines[0], bool(words.colours)) == ("", language != "en")
    assert _fields(words.category) == {"good", "line"}
    assert _fields(words.product) == {"quality", "colour", "category"}
