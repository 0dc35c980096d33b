"""The batch: complete when every report has come, and never if a record was refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from clickstream_generator.shell.sink import AFTERMATH, Batch


def _error(name: str) -> Any:  # noqa: ANN401  replaces the client's error
    return SimpleNamespace(name=lambda: name)


def test_report_counts_down() -> None:
    """Each good report is one less to wait for."""
    batch = Batch(waiting=2)

    batch.reported(None, None)
    assert batch.waiting == 1


def test_refused_record_is_kept() -> None:
    """A refused record's error reaches the sink, and the batch stays incomplete."""
    sink = SimpleNamespace(refusal=None)
    batch = Batch(waiting=1, sink=sink)
    cause = _error("MSG_SIZE_TOO_LARGE")

    batch.reported(cause, None)
    batch.reported(_error(AFTERMATH), None)
    assert sink.refusal is cause
    assert batch.waiting == 1
