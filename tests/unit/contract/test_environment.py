"""Settings: a variable is read, bounded and, if it is wrong, named."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.environment import (
    Reader,
    SettingsInvalid,
    like,
    number,
    one_of,
    settings_values,
    text,
    whole,
)

READERS: dict[str, Reader] = {"host": text, "port": whole(1, 65_535), "mode": one_of("a.b", "c")}


def _read(**given: str) -> dict[str, object]:
    environment = {f"SHOP_{name.upper()}": value for name, value in given.items()}
    return settings_values({"HOME": "/", **environment}, "SHOP_", READERS, ("host",))


def test_what_is_given_is_read_and_an_empty_variable_is_absent() -> None:
    """Others' variables are no concern of ours."""
    assert _read(host="x", port="80", mode="") == {"host": "x", "port": 80}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "SHOP_HOST is not set"),
        ({"host": ""}, "SHOP_HOST is not set"),
        ({"host": "x", "prot": "1"}, "SHOP_PROT has the value '1'; it must be one of the known"),
        ({"host": "x", "port": "0"}, "SHOP_PORT has the value '0'; it must be a whole number"),
        ({"host": "x", "port": "٣"}, "SHOP_PORT"),
        ({"host": "x", "mode": "aXb"}, "SHOP_MODE has the value 'aXb'; it must be one of a.b, c"),
    ],
)
def test_the_wrong_variable_is_named(given: dict[str, str], said: str) -> None:
    """With what it holds and what it may hold."""
    with pytest.raises(SettingsInvalid, match=re.escape(said)):
        _read(**given)


@pytest.mark.parametrize("value", ["nan", "1e9", "-1", "x", ""])
def test_a_number_out_of_bounds_is_refused(value: str) -> None:
    """What is no number is out of bounds."""
    with pytest.raises(SettingsInvalid, match="a number from 0 to 10"):
        number(0, 10)("SHOP_SHARE", value)


def test_a_pattern_holds_for_the_whole_text() -> None:
    """A line more is a text more."""
    with pytest.raises(SettingsInvalid, match="letters"):
        like(re.compile("[a-z]+"), "letters")("SHOP_NAME", "abc\n")
