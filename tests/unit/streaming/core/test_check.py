"""What a check is, and the comparison that most checks end with."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from clickstream_streaming.core.check import Check, differing


def test_check_is_fixed() -> None:
    """A check cannot change after it is made."""
    check = Check("orders", "lost", "SELECT 1")

    with pytest.raises(FrozenInstanceError):
        check.query = "SELECT 2"  # type: ignore[misc]


def test_comparison_looks_both_ways() -> None:
    """What only one side has differs, whichever side it is; each key is named once."""
    text = " ".join(differing("'row ' || key", "key, part").split())

    assert text == (
        "SELECT 'row ' || key FROM ("
        " (SELECT * FROM found EXCEPT SELECT * FROM wanted)"
        " UNION ALL"
        " (SELECT * FROM wanted EXCEPT SELECT * FROM found)"
        " ) AS differing GROUP BY key, part"
    )
