"""Durations as text: reading, writing and invalid texts."""

from __future__ import annotations

import pytest
from clickstream_contract.duration import duration_seconds, format_duration
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(min_value=1, max_value=800_000_000))
def test_written_duration_is_read_back(seconds: int) -> None:
    """Reading a written duration returns the same number of seconds."""
    assert duration_seconds(format_duration(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("2m", 120),
        ("1h30m", 5_400),
        ("2d", 172_800),
        ("1d1h1m1s", 90_061),
        ("9999d", 863_913_600),
        ("99999h", 359_996_400),
        ("999999m", 59_999_940),
        ("99999999s", 99_999_999),
        ("0d1s", 1),
    ],
)
def test_units_add_up(text: str, seconds: int) -> None:
    """Days, hours, minutes and seconds are summed in seconds."""
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0s", "10", "-1s", "1s1m", "1.5h", "٣s", "500ms", "1h 2m", "1s\n", "10000d", "100000h",
     "1000000m", "100000000s", "0d0h0m0s"],
)  # fmt: skip
def test_other_text_is_refused(text: str) -> None:
    """Text that is no duration, or none of at least one second, is a ValueError with the text."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the text is the message
        duration_seconds(text)

    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (1, "1s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m59s"),
        (3_600, "1h"),
        (86_399, "23h59m59s"),
        (86_400, "1d"),
        (90_061, "1d1h1m1s"),
    ],
)
def test_largest_unit_comes_first(seconds: int, text: str) -> None:
    """A duration is written with its largest units first and without units that are zero."""
    assert format_duration(seconds) == text
