"""The result that the judge writes and the operator reads."""

from __future__ import annotations

import pytest
from clickstream_contract.verification_result import (
    LONGEST_TEXT,
    VerificationResult,
    read_result,
)

_MOST_BYTES = 4_096
_FULL = VerificationResult.model_validate(
    {
        "events": 2**63 - 1,
        "rows": 2**63 - 1,
        "minutes": 2**63 - 1,
        "until": "2026-11-27T08:00:00Z",
        "differences": 2**63 - 1,
        "firstDifference": "2026-11-27T07:00:00Z",
        "text": "\U0001f6d2" * LONGEST_TEXT,
    }
)


def test_result_is_read_as_written() -> None:
    """What one side writes, the other reads."""
    assert read_result(_FULL.to_json()) == _FULL


def test_longest_result_fits() -> None:
    """Kubernetes keeps the whole line, whatever characters the text has."""
    line = _FULL.to_json()

    assert "\n" not in line
    assert len(line.encode()) < _MOST_BYTES


@pytest.mark.parametrize(
    "line",
    [
        "", "error: no such table", "{}", "[1]", "null", _FULL.to_json()[:-9],
        _FULL.to_json().replace("2026-11-27T07:00:00Z", "yesterday"),
        _FULL.to_json().replace('"events":9223372036854775807', '"events":-1'),
    ],
)  # fmt: skip
def test_other_messages_are_no_result(line: str) -> None:
    """A message that is cut, or is no result, is never read as one."""
    assert read_result(line) is None
