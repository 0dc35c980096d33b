"""What a simulation's status records: the state of the run, its revisions and its figures.

Owns how many revisions are kept, and when a changed figure is worth a write.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from clickstream_operator.core.desired import Run, iso, traffic_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import Simulation

    from clickstream_operator.core.observed import Observed
    from clickstream_operator.settings import Settings

__all__ = ["is_worth_writing", "recorded_run", "run_state", "status_figures"]

_RUN = ("startTime", "workers", "revisions", "resumeTime")
_REVISIONS = 20
_REVISIONS_BYTES = 200_000
_RATE_STEP = 0.02
"""A part of the target rate; smaller changes of the achieved rate are not written."""
_DELIVERED_SECONDS = 60.0
"""How old the count of delivered events may get while nothing else changes."""


def run_state(
    resource: Mapping[str, Any],
    simulation: Simulation,
    workers: int,
    now: float,
    settings: Settings,
) -> tuple[Run, dict[str, Any]]:
    """Return the run's next state, and the part of the status that records it."""
    status = resource.get("status", {})
    has_begun = "startTime" in status
    started = status.get("startTime") or iso(now)
    # A run that has begun and has no workers was suspended, even if its reason says otherwise.
    resumed = iso(now) if has_begun and not status.get("workers") else status.get("resumeTime")
    revisions = _with_spec(
        status.get("revisions", []),
        simulation,
        int(resource["metadata"].get("generation", 0)),
        iso(now + settings.revision_delay_seconds) if has_begun else started,
    )
    run = Run(
        workers,
        _seconds(started),
        _seconds(revisions[-1]["effectiveFrom"]) if len(revisions) > 1 else None,
        _seconds(resumed) if resumed else None,
    )
    kept = {"startTime": started, "workers": workers, "revisions": revisions}
    return run, kept | ({"resumeTime": resumed} if resumed else {})


def recorded_run(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a status that records the run."""
    return {key: status[key] for key in _RUN if key in status}


def status_figures(
    status: Mapping[str, Any], observed: Observed, target: int, *, keeps_rate: bool = False
) -> dict[str, Any]:
    """Return the rates and the number of delivered events, which never decreases.

    Args:
        status: The present status.
        observed: The simulation's objects in the cluster.
        target: The rate of the spec, events per second; 0 without workers.
        keeps_rate: Whether the achieved rate is unknown now, so that the former one stays.
    """
    figures = list(observed.figures().values())
    achieved = round(sum(row.achieved for row in figures))
    if keeps_rate:
        achieved = int(status.get("achievedEventsPerSecond", 0))
    delivered = int(sum(row.delivered for row in figures))
    return {
        "targetEventsPerSecond": round(sum(row.target for row in figures))
        if figures and target and len(figures) == status.get("workers")
        else target,
        "achievedEventsPerSecond": achieved if target else 0,
        "deliveredEvents": max(int(status.get("deliveredEvents", 0)), delivered),
    }


def is_worth_writing(
    before: Mapping[str, Any], after: Mapping[str, Any], age_seconds: float
) -> bool:
    """Return whether the status has changed by more than small steps of its figures."""
    moving = {"achievedEventsPerSecond", "deliveredEvents", "targetEventsPerSecond"}
    if {key: row for key, row in before.items() if key not in moving} != {
        key: row for key, row in after.items() if key not in moving
    }:
        return True
    for key in ("achievedEventsPerSecond", "targetEventsPerSecond"):
        if key in after:
            step = _RATE_STEP * max(after.get("targetEventsPerSecond", 0), 1)
            if abs(after[key] - before.get(key, 0)) > step:
                return True
    return age_seconds >= _DELIVERED_SECONDS and any(
        after.get(key) != before.get(key) for key in moving
    )


def _with_spec(
    before: list[dict[str, Any]], simulation: Simulation, generation: int, effective: str
) -> list[dict[str, Any]]:
    """Return the revisions with the present spec; drop the oldest ones if there are too many."""
    text = json.dumps(traffic_spec(simulation), sort_keys=True, separators=(",", ":"))
    if before and before[-1]["spec"] == text:
        return before
    rows = [*before, {"generation": generation, "effectiveFrom": effective, "spec": text}]
    while len(rows) > 1 and (
        len(rows) > _REVISIONS or sum(len(row["spec"]) for row in rows) > _REVISIONS_BYTES
    ):
        del rows[0]
    return rows


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
