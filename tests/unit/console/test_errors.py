"""The console's errors and their texts."""

from __future__ import annotations

import pytest
from clickstream_console.errors import (
    ConsoleError,
    DatabaseAway,
    SimulationUnknown,
    TooManyStreams,
)


@pytest.mark.parametrize(
    ("error", "field", "value", "text"),
    [
        (
            DatabaseAway("took too long"),
            "reason",
            "took too long",
            "the database took too long; try again soon",
        ),
        (
            SimulationUnknown("shop"),
            "name",
            "shop",
            "no run of simulation shop is known; /api/v1/simulations lists them",
        ),
        (
            TooManyStreams(32),
            "limit",
            32,
            "32 live streams are open, which is the limit; try again soon",
        ),
    ],
)
def test_errors_say_what_to_do(error: ConsoleError, field: str, value: object, text: str) -> None:
    """Each error keeps its field, and its text says what is wrong and what to do."""
    assert str(error) == text
    assert getattr(error, field) == value
    assert isinstance(error, ConsoleError)
