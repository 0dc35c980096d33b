"""The load while the stream stores events: who waits for a lock, and how much processor is idle.

Owns the samples. A share of samples is the share of the time, because they are taken at moments
that do not depend on the writers.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

__all__ = ["LoadSamples"]

_BACKENDS = """
SELECT CASE wait_event_type WHEN 'Lock' THEN wait_event ELSE '' END
FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
"""


class LoadSamples:
    """Samples of a database and of the machine, from the moment that it is made.

    Args:
        connection: A connection that may see what other users wait for.

    Attributes:
        lock_waits: How often a sample found a connection that waits, by what it waits for
            (https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-LOCK-TABLE).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._samples = self._active = 0
        self.lock_waits: Counter[str] = Counter()
        self._before = psutil.cpu_times()

    def take(self) -> None:
        """Take one sample of the database's active connections."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(_BACKENDS)
            found = [event for (event,) in cursor.fetchall()]
        self._samples += 1
        self._active += len(found)
        self.lock_waits.update(filter(None, found))

    def figures(self) -> dict[str, float]:
        """Return the sums of all samples, and the share of processor time that was idle.

        A connection that is active in a sample counts once, and once more among the lock waits if
        it waits for a lock.
        """
        after = psutil.cpu_times()
        # Guest time is part of user time.
        passed = {
            name: getattr(after, name) - getattr(self._before, name)
            for name in after._fields
            if not name.startswith("guest")
        }
        ticks = sum(passed.values()) or 1.0  # less than a tick of the clock has passed
        return {
            "load_samples": self._samples,
            "active_samples": self._active,
            "lock_wait_samples": self.lock_waits.total(),
            "idle_processor_share": passed["idle"] / ticks,
        }
