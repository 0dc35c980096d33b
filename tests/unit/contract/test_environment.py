"""Settings: a variable is read, bounded and, if it is wrong, named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clickstream_contract.environment import (
    Reader,
    SettingsInvalid,
    existing_file,
    like,
    number,
    one_of,
    path,
    settings_values,
    text,
    whole,
)

READERS: dict[str, Reader] = {"host": text, "port": whole(1, 65_535), "mode": one_of("a.b", "c")}


def _read(**given: str) -> dict[str, object]:
    environment = {f"SHOP_{name.upper()}": value for name, value in given.items()}
    return settings_values({"HOME": "/", **environment}, "SHOP_", READERS, ("host",))


def test_given_variables_are_read() -> None:
    """Given variables are read; other and empty variables are ignored."""
    assert _read(host="x", port="80", mode="") == {"host": "x", "port": 80}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "SHOP_HOST is not set; it must be set"),
        ({"host": ""}, "SHOP_HOST is not set; it must be set"),
        (
            {"host": "x", "prot": "1"},
            ("SHOP_PROT has the value '1'; it must be one of: SHOP_HOST, SHOP_MODE, SHOP_PORT"),
        ),
        (
            {"host": "x", "port": "0"},
            "SHOP_PORT has the value '0'; it must be a whole number from 1 to 65535",
        ),
        ({"host": "x", "mode": "aXb"}, "SHOP_MODE has the value 'aXb'; it must be one of a.b, c"),
    ],
)
def test_wrong_variable_is_named(given: dict[str, str], said: str) -> None:
    """The text has the variable, what it holds and what it may hold."""
    with pytest.raises(SettingsInvalid) as caught:
        _read(**given)

    assert str(caught.value) == said


def test_error_keeps_its_fields() -> None:
    """The error has its fields, and shows at most 200 characters of the value."""
    error = SettingsInvalid("SHOP_HOST", 201 * "x", "short")

    assert (error.name, error.value, error.allowed) == ("SHOP_HOST", 201 * "x", "short")
    assert str(error) == f"SHOP_HOST has the value '{196 * 'x'}...; it must be short"


@pytest.mark.parametrize("value", ["nan", "1e9", "-1", "x", "", "-0.001", "10.001"])
def test_number_out_of_bounds_is_refused(value: str) -> None:
    """A text that is not a number is out of bounds."""
    with pytest.raises(SettingsInvalid, match="a number from 0 to 10"):
        number(0, 10)("SHOP_SHARE", value)


@pytest.mark.parametrize(("value", "found"), [("0", 0.0), ("10", 10.0), ("2.5", 2.5)])
def test_number_reaches_its_bounds(value: str, found: float) -> None:
    """Both bounds are included."""
    assert number(0, 10)("SHOP_SHARE", value) == found


@pytest.mark.parametrize("value", ["0", "11", "٣", "1.0", "-1", "+1", " 1", "x", "²"])
def test_other_whole_number_is_refused(value: str) -> None:
    """Only ASCII digits within the bounds are a whole number."""
    with pytest.raises(SettingsInvalid, match="a whole number from 1 to 10"):
        whole(1, 10)("SHOP_COUNT", value)


def test_whole_number_reaches_its_bounds() -> None:
    """Both bounds are included."""
    assert [whole(1, 10)("SHOP_COUNT", value) for value in ("1", "10")] == [1, 10]


def test_pattern_holds_for_whole_text() -> None:
    """A pattern is that of the whole text, a line end included."""
    read = like(re.compile("[a-z]+"), "letters")

    assert read("SHOP_NAME", "abc") == "abc"
    with pytest.raises(SettingsInvalid, match="letters"):
        read("SHOP_NAME", "abc\n")


def test_choice_is_taken_literally() -> None:
    """A choice may hold characters that mean something in a pattern."""
    read = one_of("a.b", "c+")

    assert [read("SHOP_MODE", value) for value in ("a.b", "c+")] == ["a.b", "c+"]
    with pytest.raises(SettingsInvalid, match=re.escape("one of a.b, c+")):
        read("SHOP_MODE", "cc")


def test_file_must_exist(tmp_path: Path) -> None:
    """A file is taken if it is there; a folder is no file."""
    file = tmp_path / "a.yaml"
    file.touch()

    assert existing_file("SHOP_FILE", str(file)) == file
    for value in (tmp_path, tmp_path / "other"):
        with pytest.raises(SettingsInvalid, match="a file that exists"):
            existing_file("SHOP_FILE", str(value))


def test_path_is_absolute() -> None:
    """Any path is taken, relative to where the process runs."""
    assert path("SHOP_FOLDER", "x/y") == Path.cwd() / "x/y"
    assert path("SHOP_FOLDER", "/x") == Path("/x")
