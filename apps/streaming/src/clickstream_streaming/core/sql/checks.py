"""The verification: all checks, and the sums of the ledger that its report shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.core.sql.bookkeeping import (
    BOOKKEEPING,
    PLANTED_FAULTS,
    REJECTS_BY_REASON,
)
from clickstream_streaming.core.sql.event_checks import (
    CONTENT_CHECKS,
    JOURNEY_CHECKS,
    NUMBER_CHECKS,
)
from clickstream_streaming.core.sql.mart_checks import DEFINITION_CHECKS, SUM_CHECKS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.check import Check

__all__ = ["ACKNOWLEDGED", "CHECKS", "LEDGER_TOTALS", "PASSES", "REJECTS", "UNDER_WAY"]

LEDGER_TOTALS = """
SELECT
    coalesce(sum(events), 0), coalesce(sum(records_sent), 0),
    coalesce(sum(records_acknowledged), 0), coalesce(sum(lost), 0)
FROM (
    SELECT sum(events) AS events, max(records_sent) AS records_sent,
        max(records_acknowledged) AS records_acknowledged, sum(lost_faults) AS lost
    FROM ops.ledger GROUP BY run_id, shard
) AS shard
"""

ACKNOWLEDGED = """
SELECT run_id::text, shard, sum(events)::bigint FROM ops.ledger GROUP BY run_id, shard
"""
"""Returns the number of acknowledged events by run and shard."""

UNDER_WAY = """
SELECT coalesce(sum(greatest(
    acknowledged - coalesce(stored_events + expired_events, 0), 0)), 0)::bigint
FROM unnest(%(run_ids)s::uuid[], %(shards)s::integer[], %(events)s::bigint[])
    AS wanted (run_id, shard, acknowledged)
LEFT JOIN ops.shards USING (run_id, shard)
"""
"""Returns how many acknowledged events the stream has not stored yet."""

REJECTS = f"""
WITH planted AS (
    SELECT reason, sum(faults) AS planted
    FROM ops.ledger, LATERAL (VALUES {PLANTED_FAULTS}) AS fault (reason, faults)
    GROUP BY reason
), found AS (
    SELECT reason, sum(records) AS rejected FROM ({REJECTS_BY_REASON}) AS one GROUP BY reason
)
SELECT reason, coalesce(planted, 0)::bigint, coalesce(rejected, 0)::bigint,
    least(coalesce(planted, 0), coalesce(rejected, 0))::bigint
FROM planted FULL JOIN found USING (reason)
WHERE coalesce(planted, 0) + coalesce(rejected, 0) > 0
ORDER BY reason
"""
"""Returns by reason: planted faults, rejected records, and how many of both match."""

CHECKS: tuple[Check, ...] = (
    *NUMBER_CHECKS,
    *DEFINITION_CHECKS,
    *CONTENT_CHECKS,
    *SUM_CHECKS,
    *BOOKKEEPING,
    *JOURNEY_CHECKS,
)
"""All checks; checks of the same defect are added."""

PASSES: tuple[tuple[Check, ...], ...] = tuple(
    tuple(one for one in CHECKS if one.basis == check.basis) if check.basis else (check,)
    for number, check in enumerate(CHECKS)
    if not check.basis or check.basis not in {one.basis for one in CHECKS[:number]}
)
"""All checks; those with the same basis run as one statement."""
