"""The commands that work on the tables: verification, rebuild, and waiting for a run.

Owns the output and the exit codes. The first connection is retried: a new pod's network policy may
reach the node a second after the pod starts, and until then the network refuses connections.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from threading import Event
from typing import TYPE_CHECKING

from clickstream_streaming.shell.database import connect_with_retries
from clickstream_streaming.shell.rebuild import rebuild
from clickstream_streaming.shell.verification import (
    DEFECTS,
    record_verification,
    verify,
    wait_for_arrival,
)

if TYPE_CHECKING:
    from typing import TextIO
    from uuid import UUID

    from clickstream_streaming.settings import DatabaseSettings

__all__ = ["read_back", "show_rebuild", "show_verification"]

_COUNTS = ("events_sent", "events_acknowledged", "events_stored", "events_rejected", "under_way")
_POLL_SECONDS = 1.0
_GIVE_UP_SECONDS = 120.0
_FIND = """
SELECT runs.simulation, runs.closed_at IS NOT NULL,
    (SELECT count(*) FROM raw.events AS events WHERE events.run_id = runs.run_id)
FROM ops.runs AS runs WHERE runs.run_id = %s
"""


def show_verification(settings: DatabaseSettings, output: TextIO, wait_seconds: float = 0.0) -> int:
    """Verify, print the report with JSON as its last line, and store it; return the exit code.

    Args:
        settings: The address of the database.
        output: The output.
        wait_seconds: How long to wait for events that are not stored yet.

    Returns:
        0 without a defect and without missing events, else 1.
    """
    with closing(connect_with_retries(settings, Event())) as connection:
        missing = wait_for_arrival(connection, wait_seconds) if wait_seconds else 0
        report = verify(connection, lambda: connect_with_retries(settings, Event()))
        record_verification(connection, report)
    names = (*_COUNTS, *DEFECTS)
    output.writelines(f"{name} {getattr(report, name)}\n" for name in names)
    output.writelines(f"  {example}\n" for example in report.examples)
    if missing:
        output.write(f"  {missing} events are still under way after {wait_seconds:g} s\n")
    output.write(json.dumps(report.to_json()) + "\n")
    return 0 if report.is_clean() and not missing else 1


def show_rebuild(settings: DatabaseSettings, output: TextIO) -> None:
    """Rebuild the marts; print the number of changed rows, with JSON as the last line."""
    with closing(connect_with_retries(settings, Event())) as connection:
        changed = rebuild(connection)
    output.writelines(f"{table} {rows} rows changed\n" for table, rows in changed.items())
    output.write(json.dumps(changed) + "\n")


def read_back(settings: DatabaseSettings, run_id: UUID, output: TextIO) -> int:
    """Wait until a run is stored and closed; return 0 if it is, 1 after the time limit."""
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    state = "unknown"
    with closing(connect_with_retries(settings, Event())) as connection:
        while time.monotonic() < deadline:
            with connection, connection.cursor() as cursor:
                cursor.execute(_FIND, (str(run_id),))
                row = cursor.fetchone()
            if row is not None:
                simulation, is_closed, events = row
                state = f"of {simulation}: {events} stored, {'closed' if is_closed else 'open'}"
                if is_closed and events:
                    output.write(f"run {run_id} {state}\n")
                    return 0
            time.sleep(_POLL_SECONDS)
    output.write(f"run {run_id} {state} after {_GIVE_UP_SECONDS:.0f} s\n")
    return 1
