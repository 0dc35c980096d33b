"""Settings from environment variables.

Owns the conversion of variables into values, and the error for an invalid one. An unknown variable
with the prefix is an error, so that a misspelled name does not silently become a default.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_contract.errors import shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Reader",
    "SettingsInvalid",
    "existing_file",
    "flag",
    "like",
    "number",
    "one_of",
    "path",
    "settings_values",
    "text",
    "whole",
]


class SettingsInvalid(Exception):
    """An environment variable cannot be used.

    Attributes:
        name: The variable.
        value: Its value; ``None`` if it is not set.
        allowed: The allowed values.
    """

    def __init__(self, name: str, value: str | None, allowed: str) -> None:
        """Keep the fields and build the text."""
        self.name, self.value, self.allowed = name, value, allowed
        shown = "is not set" if value is None else f"has the value {shortened(value)}"
        super().__init__(f"{name} {shown}; it must be {allowed}")


Reader = Callable[[str, str], object]
"""Returns the value of a variable's name and text, or raises :class:`SettingsInvalid`."""


def settings_values(
    environment: Mapping[str, str],
    prefix: str,
    readers: Mapping[str, Reader],
    required: tuple[str, ...],
) -> dict[str, object]:
    """Return the given settings, by name; an empty variable counts as absent.

    Args:
        environment: All variables.
        prefix: The prefix of the settings' variables.
        readers: The reader of each setting, by its name in lower case without the prefix.
        required: The required settings.

    Raises:
        SettingsInvalid: A variable is missing, unknown or out of bounds.
    """
    values: dict[str, object] = {}
    for variable, value in environment.items():
        if not variable.startswith(prefix) or not value:
            continue
        name = variable.removeprefix(prefix).lower()
        read = readers.get(name)
        if read is None:
            known = ", ".join(prefix + key.upper() for key in sorted(readers))
            raise SettingsInvalid(variable, value, f"one of: {known}")
        values[name] = read(variable, value)
    for name in required:
        if name not in values:
            raise SettingsInvalid(prefix + name.upper(), None, "set")
    return values


def text(_name: str, value: str) -> str:
    """Return any text."""
    return value


def path(_name: str, value: str) -> Path:
    """Return any path, relative to the working directory."""
    return Path(value).absolute()


def existing_file(name: str, value: str) -> Path:
    """Return the path of an existing file."""
    if not Path(value).is_file():
        raise SettingsInvalid(name, value, "a file that exists")
    return Path(value)


def flag(name: str, value: str) -> bool:
    """Return whether a text is ``true``; the other one is ``false``."""
    return one_of("true", "false")(name, value) == "true"


def whole(low: int, high: int) -> Callable[[str, str], int]:
    """Return a reader of whole numbers between two bounds, both included."""

    def read(name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise SettingsInvalid(name, value, f"a whole number from {low} to {high}")
        return int(value)

    return read


def number(low: float, high: float) -> Callable[[str, str], float]:
    """Return a reader of numbers between two bounds, both included."""

    def read(name: str, value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = float("nan")
        if not low <= found <= high:
            raise SettingsInvalid(name, value, f"a number from {low:g} to {high:g}")
        return found

    return read


def like(pattern: re.Pattern[str], allowed: str) -> Callable[[str, str], str]:
    """Return a reader of texts that match a pattern; ``allowed`` describes it."""

    def read(name: str, value: str) -> str:
        if not pattern.fullmatch(value):
            raise SettingsInvalid(name, value, allowed)
        return value

    return read


def one_of(*allowed: str) -> Callable[[str, str], str]:
    """Return a reader of one of the allowed texts."""
    return like(re.compile("|".join(map(re.escape, allowed))), "one of " + ", ".join(allowed))
