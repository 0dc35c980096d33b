"""The integrity monitor: shows differences between ledger and tables as metrics.

Owns the intervals. Its queries read only aggregates; the verification checks ``raw.events`` itself,
and the monitor shows its last result. Each update also detects a database that has lost committed
batches, even while no records arrive. Once a minute, the monitor shows which shops lack orders.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from clickstream_streaming.shell.checkpoint import QUERY, Checkpoint
from clickstream_streaming.shell.database import DISCONNECTED, connect
from clickstream_streaming.shell.preflight import check_committed_batch
from clickstream_streaming.shell.verification import DEFECTS

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from clickstream_streaming.settings import Settings
    from clickstream_streaming.shell.telemetry import Telemetry

__all__ = ["IntegrityMonitor"]

_LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 15.0
_SHARE = 0.02
"""Updates take at most this share of the time, whatever the number of simulations."""
_MOST_SIMULATIONS = 200
"""Each simulation is a label of several metrics; those with the most defects come first."""
_INTEGRITY = f"""
SELECT simulation, missing_events, surplus_events, aggregate_difference_events,
    session_difference_events
FROM ops.reconciliation WHERE simulation IN (SELECT simulation FROM ops.runs)
ORDER BY missing_events + surplus_events + aggregate_difference_events
    + session_difference_events DESC, simulation
LIMIT {_MOST_SIMULATIONS}
"""  # noqa: S608  a trusted number
# Batches compute the summary tables once a minute; after the last batch only this query does.
_COMPUTE_WHEN_IDLE = """
SELECT mart.refresh_summaries()
FROM (SELECT max(committed_at) AS moment FROM ops.batches) AS last
WHERE last.moment < clock_timestamp() - interval '5 seconds'
    AND last.moment > coalesce((SELECT min(computed_at) FROM ops.summary_refreshes), '-infinity')
"""
_KINDS = ("missing", "surplus", "aggregates", "sessions")
_LAST_VERIFICATION = f"""
SELECT extract(epoch FROM verified_at)::float8, {", ".join(DEFECTS)}
FROM ops.verifications ORDER BY verified_at DESC LIMIT 1
"""  # noqa: S608  trusted names
_SHORTFALLS_EVERY_SECONDS = 60.0
_SHORTFALLS = f"""
WITH now AS (SELECT date_trunc('minute', clock_timestamp()) AS minute)
SELECT simulation, device, expected_orders - orders
FROM now, mart.order_alarms(minute - interval '2 minutes', minute - interval '1 minute')
ORDER BY 3 DESC, simulation, device LIMIT {_MOST_SIMULATIONS}
"""  # noqa: S608  a trusted number
"""Of the last minute that is whole in the tables, if batches take less than a minute."""


class IntegrityMonitor:
    """Monitor of the differences between ledger and tables.

    Args:
        settings: The addresses of database and checkpoint.
        telemetry: The metrics.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
        self._connection: Connection | None = None
        self._next = self._next_shortfalls = 0.0

    def update(self) -> None:
        """Update the metrics if the interval is over; keep them while the database does not answer.

        Raises:
            DatabaseBehindCheckpoint: The database has lost a batch that Spark has committed.
        """
        began = time.monotonic()
        if began < self._next:
            return
        try:
            self._show()
        except DISCONNECTED as error:
            _LOG.warning("cannot read the integrity figures, retrying later: %s", error)
            self.close()
            self._telemetry.show_unreachable("PostgreSQL", is_unreachable=True)
            self._next = time.monotonic() + _EVERY_SECONDS
            return
        self._telemetry.show_unreachable("PostgreSQL", is_unreachable=False)
        self._next = began + max(_EVERY_SECONDS, (time.monotonic() - began) / _SHARE)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _show(self) -> None:
        if self._connection is None:
            self._connection = connect(self._settings)
        check_committed_batch(self._connection, QUERY, self._checkpoint)
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_COMPUTE_WHEN_IDLE)
            cursor.execute(_INTEGRITY)
            self._telemetry.show_integrity(
                {
                    simulation: dict(zip(_KINDS, counts, strict=True))
                    for simulation, *counts in cursor.fetchall()
                }
            )
            cursor.execute(_LAST_VERIFICATION)
            last = cursor.fetchone()
        if last is not None:
            self._telemetry.show_verification(last[0], dict(zip(DEFECTS, last[1:], strict=True)))
        began = time.monotonic()
        if began >= self._next_shortfalls:
            self._show_shortfalls(self._connection)
            taken = time.monotonic() - began
            self._next_shortfalls = began + max(_SHORTFALLS_EVERY_SECONDS, taken / _SHARE)

    def _show_shortfalls(self, connection: Connection) -> None:
        with connection, connection.cursor() as cursor:
            cursor.execute(_SHORTFALLS)
            self._telemetry.show_shortfalls(cursor.fetchall())
