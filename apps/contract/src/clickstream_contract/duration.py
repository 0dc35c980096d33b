"""Durations as Kubernetes writes them: ``90s``, ``10m``, ``1h30m``, ``2d``.

Owns their text form, in whole seconds.
"""

from __future__ import annotations

import re

__all__ = ["DURATION_PATTERN", "duration_seconds", "format_duration"]

DURATION_PATTERN = r"^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?$"
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def duration_seconds(text: str) -> int:
    """Return a duration of at least one second, in seconds.

    Raises:
        ValueError: The text is not such a duration.
    """
    if not re.fullmatch(DURATION_PATTERN, text, flags=re.ASCII):
        raise ValueError(text)
    seconds = sum(
        int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([dhms])", text)
    )
    if not seconds:
        raise ValueError(text)
    return seconds


def format_duration(seconds: int) -> str:
    """Return a duration as text, the largest units first."""
    text = ""
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
