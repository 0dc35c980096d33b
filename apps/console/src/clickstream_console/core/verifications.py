"""The results of verifications, from the operator's metrics.

Owns how the text of a scrape is read. A full name has no character that Prometheus' format escapes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from clickstream_contract.metrics import metric
from clickstream_contract.naming import FULL_NAME

from clickstream_console.core.records import Verification

__all__ = ["read_verifications"]

_DIFFERENCES = metric("clickstream_operator_verification_differences").name
_TIME = metric("clickstream_operator_verification_timestamp_seconds").name
_NAME = FULL_NAME.strip("^$")
_SAMPLE = re.compile(
    rf'^({_DIFFERENCES}|{_TIME})\{{simulation="({_NAME})"\}} ([0-9.e+]+)$', re.MULTILINE
)


def read_verifications(text: str) -> dict[str, Verification]:
    """Return the last verification of each simulation that has a result, by its full name."""
    found: dict[str, dict[str, float]] = {}
    for row in _SAMPLE.finditer(text):
        try:
            found.setdefault(row[2], {})[row[1]] = float(row[row.lastindex or 0])
        except ValueError:
            continue
    return {
        name: Verification(
            differences=int(row[_DIFFERENCES]),
            verified_at=datetime.fromtimestamp(row[_TIME], UTC),
        )
        for name, row in found.items()
        if row.keys() == {_DIFFERENCES, _TIME}
    }
