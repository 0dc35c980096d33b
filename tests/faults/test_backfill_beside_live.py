"""A backfill beside a live run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from backfills import BackfillBesideLive
from pipeline import SIMULATION, Pipeline
from scenario import Drain, Load, is_right, play

if TYPE_CHECKING:
    from scenario import Action

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(5_400)]

_LIVE = SIMULATION.replace("eventsPerSecond: 1000", "eventsPerSecond: 20").replace(
    "  stopAfter: {events: 3000}\n", ""
)
_BACKFILL = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: backfill}
spec:
  seed: 7
  rate: {eventsPerSecond: 2}
  userMix: [{persona: Shopper, weight: 1000}]
  users: 5000
  catalog: {products: 50, categories: 5}
  shards: 2
  stopAfter: {events: 20000}
"""
"""Nearly three hours of events."""


def test_backfill_has_own_watermark(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """F20: no event of the backfill is late, and no session of it that still runs is final.

    The size of its batches differs, so the pipeline is not shared.
    """
    results = Path(request.config.getoption("--results") or tmp_path / "results.jsonl")
    steps: list[Action] = [Load(_LIVE), BackfillBesideLive(_BACKFILL), Drain()]

    with Pipeline(tmp_path / "pipeline") as pipeline:
        figures = play(pipeline, "F20 backfill beside a live run", steps, results)

    assert is_right(figures)
