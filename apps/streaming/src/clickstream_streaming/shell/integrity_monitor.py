"""The account that is always open: what ledger and tables disagree on, shown as metrics.

Owns when it is looked at. The queries read roll-ups only; what raw.events itself holds is the
verification's to judge, whose last result is shown beside it. The same look notices a database that
has fallen back behind the checkpoint, also while nothing comes. It does not know a batch.
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
"""At most this share of the time goes into it, however large the ledger gets."""
_MOST_SIMULATIONS = 200
"""Each is a label of several metrics: those with the most defects come first."""
_INTEGRITY = f"""
SELECT simulation, missing_events, surplus_events, aggregate_difference_events,
    session_difference_events
FROM ops.account WHERE simulation IN (SELECT simulation FROM ops.runs)
ORDER BY missing_events + surplus_events + aggregate_difference_events
    + session_difference_events DESC, simulation
LIMIT {_MOST_SIMULATIONS}
"""  # noqa: S608  a number of our own
# Batches compute the summary tables once a minute; after the last batch, only this query does.
_COMPUTE_WHEN_IDLE = """
SELECT mart.compute_boards()
FROM (SELECT max(committed_at) AS moment FROM ops.batches) AS last
WHERE last.moment < clock_timestamp() - interval '5 seconds'
    AND last.moment > coalesce((SELECT min(computed_at) FROM ops.boards), '-infinity')
"""
_KINDS = ("missing", "surplus", "aggregates", "sessions")
_LAST_VERIFICATION = f"""
SELECT extract(epoch FROM verified_at)::float8, {", ".join(DEFECTS)}
FROM ops.verifications ORDER BY verified_at DESC LIMIT 1
"""  # noqa: S608  names of our own


class IntegrityMonitor:
    """Looks at the account now and then.

    Args:
        settings: Where the database is.
        telemetry: Where figures are shown.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._checkpoint = Checkpoint(settings.checkpoint_dir / QUERY)
        self._connection: Connection | None = None
        self._next = 0.0

    def update(self) -> None:
        """Show the figures if it is time; while the database is away, those before stay.

        Raises:
            DatabaseBehindCheckpoint: It came back without what Spark has committed.
        """
        began = time.monotonic()
        if began < self._next:
            return
        try:
            self._show()
        except DISCONNECTED as error:
            _LOG.warning("cannot read the integrity figures, retrying later: %s", error)
            self.close()
            self._telemetry.show_away("PostgreSQL", is_away=True)
            self._next = time.monotonic() + _EVERY_SECONDS
            return
        self._telemetry.show_away("PostgreSQL", is_away=False)
        self._next = began + max(_EVERY_SECONDS, (time.monotonic() - began) / _SHARE)

    def close(self) -> None:
        """Give the connection back."""
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
