"""The results of verifications in the text of a scrape."""

from __future__ import annotations

from datetime import UTC, datetime

from clickstream_console.core.records import Verification
from clickstream_console.core.verifications import read_verifications
from clickstream_operator.shell.telemetry import Telemetry
from prometheus_client import generate_latest

_MOMENT = datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_operators_metrics_are_read() -> None:
    """What the operator shows is what the console reads, also large numbers."""
    telemetry = Telemetry()
    for name, differences in (("load/shop", 0), ("load/other", 2_000_000)):
        found = {"differences": differences, "finishedAt": "2026-11-27T08:00:00Z"}
        telemetry.show_verification(name, found)

    assert read_verifications(generate_latest(telemetry.registry).decode()) == {
        "load/shop": Verification(differences=0, verified_at=_MOMENT),
        "load/other": Verification(differences=2_000_000, verified_at=_MOMENT),
    }


def test_other_text_is_no_result() -> None:
    """Half a result, another metric and a broken number are left out."""
    name = "clickstream_operator_verification_differences"
    for text in (
        "", "<html>", f'{name}{{simulation="load/shop"}} 1.0\n',
        f'{name}{{simulation="load/shop"}} 1..0\n', f'{name}{{simulation="A b"}} 1.0\n',
        f'other_{name}{{simulation="load/shop"}} 1.0\n',
    ):  # fmt: skip
        assert read_verifications(text) == {}
