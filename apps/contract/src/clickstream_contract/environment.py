"""Settings from environment variables: reading them, bounding them, naming the wrong one.

Owns how a variable becomes a value, and the error that says what it may hold. A variable that
begins like ours and is unknown is an error: a typing mistake must not pass for a default. It
does not know any setting, nor where the environment comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Reader",
    "SettingsInvalid",
    "existing_file",
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
        value: What it holds; ``None`` if it is not set.
        allowed: What it may hold.
    """

    def __init__(self, name: str, value: str | None, allowed: str) -> None:
        """Keep the fields and build the text."""
        self.name, self.value, self.allowed = name, value, allowed
        shown = "is not set" if value is None else f"has the value {value[:80]!r}"
        super().__init__(f"{name} {shown}; it must be {allowed}")


Reader = Callable[[str, str], object]
"""Makes a value of a variable's name and text, or raises :class:`SettingsInvalid`."""


def settings_values(
    environment: Mapping[str, str],
    prefix: str,
    readers: Mapping[str, Reader],
    required: tuple[str, ...],
) -> dict[str, object]:
    """Return the settings that are given, by name; an empty variable counts as absent.

    Args:
        environment: All variables.
        prefix: What ours begin with.
        readers: How each is read, by its name in small letters without the prefix.
        required: Those that must be given.

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
            raise SettingsInvalid(variable, value, f"one of the known ones: {known}")
        values[name] = read(variable, value)
    for name in required:
        if name not in values:
            raise SettingsInvalid(prefix + name.upper(), None, "set")
    return values


def text(_name: str, value: str) -> str:
    """Take any text."""
    return value


def path(_name: str, value: str) -> Path:
    """Take any path, relative to where the process runs."""
    return Path(value).absolute()


def existing_file(name: str, value: str) -> Path:
    """Take the path of a file that is there."""
    if not Path(value).is_file():
        raise SettingsInvalid(name, value, "a file that exists")
    return Path(value)


def whole(low: int, high: int) -> Callable[[str, str], int]:
    """Take whole numbers between two bounds, both included."""

    def read(name: str, value: str) -> int:
        if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
            raise SettingsInvalid(name, value, f"a whole number from {low} to {high}")
        return int(value)

    return read


def number(low: float, high: float) -> Callable[[str, str], float]:
    """Take numbers between two bounds, both included."""

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
    """Take texts of a pattern, which ``allowed`` puts into words."""

    def read(name: str, value: str) -> str:
        if not pattern.fullmatch(value):
            raise SettingsInvalid(name, value, allowed)
        return value

    return read


def one_of(*allowed: str) -> Callable[[str, str], str]:
    """Take one of some texts."""
    return like(re.compile("|".join(map(re.escape, allowed))), "one of " + ", ".join(allowed))
