"""A backfill beside the run that is live: a second generator, whose events lie days back."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess
from pipeline import wait_until

if TYPE_CHECKING:
    from invariants import Noise
    from pipeline import Pipeline
    from scenario import Stage

__all__ = ["BackfillBesideLive"]

_AGO = timedelta(days=3)
_SMALL_BATCHES = {"MAX_OFFSETS_PER_TRIGGER": "2000"}
_SESSIONS = """
SELECT session_id, last_event_at, is_final, closed_at IS NOT NULL
FROM mart.fact_sessions INNER JOIN ops.runs USING (run_id) WHERE run_id = %s
"""
_LATE = "SELECT sum(late_events) FROM ops.shards WHERE run_id IN (%s, %s)"

_RESUMED = """
SELECT count(*) FROM raw.events
INNER JOIN unnest(%s::uuid[], %s::timestamptz[]) AS final (session_id, last_event_at)
    USING (session_id)
WHERE event_time > last_event_at AND event_time <= last_event_at + interval '30 minutes'
"""
"""Events that a session had within 30 minutes of the one that seemed to be its last. A session that
pauses for longer is over, and may continue all the same."""


@dataclass
class _Sessions:
    """Sessions of a run that is being read.

    Attributes:
        count: How many there are.
        final: The last event of each that was final before its run was closed, as it was then.
    """

    count: int = 0
    final: dict[str, datetime] = field(default_factory=dict)

    def look(self, pipeline: Pipeline, run_id: str) -> bool:
        """Read the sessions; return whether their run is closed."""
        rows = pipeline.rows(_SESSIONS, run_id)
        self.count = len(rows)
        if any(is_closed for *_, is_closed in rows):
            return True
        for session_id, last_event_at, is_final, _ in rows:
            if is_final:
                self.final.setdefault(session_id, last_event_at)
        return False


@dataclass(frozen=True)
class BackfillBesideLive:
    """The stream finds a backfill beside the live run, and reads both in small batches.

    Attributes:
        text: The backfill's simulation, which comes to an end.
    """

    text: str
    noise: ClassVar[Noise] = {
        # The stop may interrupt a call to Kafka within a batch.
        "streaming": (
            r"Py4JJavaError: An error occurred while calling o\d+\.get\.",
            r"TopicMissing: .*InterruptedException",
            r"MicroBatchExecution: Query events .* terminated with error",
        ),
    }

    def do(self, stage: Stage) -> None:
        """Generate it while the stream is away, and watch its sessions while it is read."""
        pipeline, run_id = stage.pipeline, str(uuid4())
        pipeline.wait_until_sent(0)
        pipeline.halt()
        self._generate(pipeline, run_id)
        pipeline.launch(_SMALL_BATCHES)
        pipeline.wait_ready()
        sessions = _Sessions()
        wait_until(lambda: sessions.look(pipeline, run_id), "the backfill is stored")

        ids, last_event_times = list(sessions.final), list(sessions.final.values())
        assert pipeline.count(_RESUMED, ids, last_event_times) == 0
        assert 0 < len(ids) < sessions.count
        assert pipeline.count(_LATE, run_id, str(pipeline.run_id)) == 0
        stage.figures.faults += 1
        stage.figures.shown = (
            f"{len(ids)} of {sessions.count} sessions final before the run's end, none of them"
            " running; 0 events late"
        )

    def _generate(self, pipeline: Pipeline, run_id: str) -> None:
        """Run the backfill's generator to its end."""
        file = pipeline.state.root / "backfill.yaml"
        file.write_text(self.text, encoding="utf-8")
        settings = {
            "SIMULATION_FILE": str(file),
            "BOOTSTRAP_SERVERS": pipeline.kafka.bootstrap_servers,
            "RUN_ID": run_id,
            "METRICS_PORT": str(free_port()),
            "START_TIME": _noon_before(_AGO).isoformat(),
        }
        named = {f"CLICKSTREAM_GENERATOR_{name}": value for name, value in settings.items()}
        generator = ServiceProcess.start(
            "backfill",
            [sys.executable, "-m", "clickstream_generator"],
            pipeline.state.log_file("backfill"),
            os.environ | named,
        )
        try:
            assert generator.process.wait(120) == 0
        finally:
            generator.stop()


def _noon_before(ago: timedelta) -> datetime:
    """Return noon of the day so long ago: the backfill is over before midnight."""
    return (datetime.now(tz=UTC) - ago).replace(hour=12, minute=0, second=0, microsecond=0)
