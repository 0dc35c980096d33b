"""The dashboard Integrity: the comparison of ledger and tables, with seven zeros.

The seven zeros are those of the last verification. Next to them are figures that are known at
every moment, without reading all events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.ledger import FAULT_REASONS

from clickstream_dashboards.frame import begin, row, with_postgres, with_prometheus
from clickstream_dashboards.panels import figure, listing, series
from clickstream_dashboards.queries import PromQuery, SqlQuery, of

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["integrity"]

_DEFECTS = (
    ("lost", "Lost", "Events of the ledger that raw.events lacks, except planted losses."),
    ("duplicated", "Duplicated", "Additional rows of the same event."),
    ("phantom", "Phantom", "Rows that are in no ledger."),
    (
        "altered",
        "Altered",
        "Minutes of a shard in which a field of an event differs from the sent one.",
    ),
    (
        "aggregate_mismatches",
        "Wrong aggregates",
        "Rows of marts, ledger and counts that contradict the events.",
    ),
    ("session_mismatches", "Wrong sessions", "Sessions that contradict their events."),
    (
        "illegal_transitions",
        "Illegal steps",
        "Steps that are not in the journey, and orders that are not the sum of their lines.",
    ),
)
_WIDE_FIGURES = 3
_LAST = "FROM ops.verifications ORDER BY verified_at DESC LIMIT 1"
_CHOSEN = "simulation IN (${simulation:sqlstring})"


def integrity() -> Dashboard:
    """Return the dashboard."""
    built = begin(
        "integrity",
        "Clickstream / Integrity",
        "Sent events compared with stored events: seven zeros, or the differences.",
        "now-6h",
    )
    built = with_postgres(with_prometheus(built))
    built = row(built, "Seven zeros: the last verification", _zeros())
    built = row(built, "Reconciliation: the present figures", _reconciliation())
    return row(built, "Rejects against planted faults", _rejects())


def _zeros() -> list[Builder[Panel]]:
    panels = [
        figure(
            title,
            text,
            SqlQuery(f"SELECT {name} AS value {_LAST}"),
            "short",
            # Seven figures fill a line of 24 columns.
            width=4 if number < _WIDE_FIGURES else 3,
            red_from=1,
        )
        for number, (name, title, text) in enumerate(_DEFECTS)
    ]
    history = SqlQuery(
        f"SELECT verified_at AS time, {', '.join(name for name, _, _ in _DEFECTS)}\n"
        "FROM ops.verifications WHERE $__timeFilter(verified_at) ORDER BY 1",
        is_series=True,
    )
    examples = SqlQuery(
        "SELECT verified_at AS verified, defect FROM (\n"
        f"    SELECT verified_at, examples {_LAST}\n"
        ") AS last, unnest(CASE WHEN examples = '{}' THEN ARRAY['none'] ELSE examples END) AS defect"
    )
    numbers = SqlQuery(
        'SELECT verified_at AS verified, events_sent AS sent, planted_losses AS "never sent",\n'
        "    events_acknowledged AS acknowledged, events_stored AS stored, events_rejected AS rejected\n"
        "FROM ops.verifications ORDER BY verified_at DESC LIMIT 25"
    )
    when = {"verified": "dateTimeAsIso"}
    return [
        *panels,
        series(
            "Verifications",
            "The results of the verifications in the time range. `clickstream verify` makes one.",
            [history],
            "short",
            width=8,
        ),
        listing(
            "Stage by stage",
            "The counts of each verification: sent, lost on purpose, acknowledged, stored; rejects are additional records.",
            numbers,
            when,
            width=8,
            height=8,
        ),
        listing(
            "Defects, in words",
            "The first defects of the last verification.",
            examples,
            when,
            width=8,
            height=8,
        ),
    ]


def _reconciliation() -> list[Builder[Panel]]:
    present = SqlQuery(
        'SELECT simulation, sent_events AS sent, planted_losses AS "never sent", stored_events AS stored,\n'
        "    missing_events AS missing, surplus_events AS surplus,\n"
        '    aggregate_difference_events AS "traffic off by", session_difference_events AS "sessions off by"\n'
        f"FROM ops.reconciliation WHERE {_CHOSEN} ORDER BY simulation"
    )
    shards = SqlQuery(
        'SELECT simulation, run_id, shard, sent_events AS sent, planted_losses AS "never sent",\n'
        "    stored_events AS stored, missing_events AS missing,\n"
        f'    unconfirmed_events AS "not in the ledger yet"\nFROM ops.integrity WHERE {_CHOSEN}\n'
        "ORDER BY missing_events DESC, simulation, run_id, shard LIMIT 50"
    )
    open_defects = f"sum by (simulation, defect) ({of('streaming_integrity_defects', simulation='$simulation')})"
    twice = f"sum(rate({of('streaming_duplicate_events_total')}[$__rate_interval]))"
    return [
        listing(
            "Reconciliation by simulation",
            "Ledger, stored events and sums compared. Missing events may be on their way; all other differences are always 0.",
            present,
        ),
        series(
            "Disagreement",
            "The same over time, as the stream shows it every 15 seconds.",
            [PromQuery(open_defects, "{{simulation}}: {{defect}}")],
            "short",
        ),
        listing(
            "Reconciliation by shard",
            "Shards with most missing events first. Below 0: stored before the ledger counted them.",
            shards,
        ),
        series(
            "Came twice, stored once",
            "Duplicates per second, which were not stored.",
            [PromQuery(twice, "dropped")],
            "cps",
        ),
    ]


def _rejects() -> list[Builder[Panel]]:
    # First the sums, then one row per kind: that is much less to pivot.
    sums = ", ".join(f"sum({name}_faults) AS {name}" for name in FAULT_REASONS)
    faults = ", ".join(f"('{reason.value}', {name})" for name, reason in FAULT_REASONS.items())
    scored = SqlQuery(
        "SELECT reason, coalesce(planted, 0) AS planted, coalesce(rejected, 0) AS rejected\n"
        "FROM (\n    SELECT reason, sum(faults)::bigint AS planted\n"
        f"    FROM (SELECT {sums} FROM ops.ledger_by_shard WHERE {_CHOSEN}) AS summed,\n"
        f"        LATERAL (VALUES {faults}) AS fault (reason, faults)\n"
        "    WHERE faults > 0 GROUP BY reason\n"
        ") AS ledger FULL JOIN (\n"
        "    SELECT rules.reason, sum(counted.records)::bigint AS rejected\n"
        "    FROM ops.quality_minute AS counted INNER JOIN ops.quality_rules AS rules USING (rule)\n"
        "    WHERE rules.severity = 'reject' GROUP BY rules.reason\n"
        ") AS found USING (reason)\nORDER BY reason"
    )
    totals = SqlQuery(
        "SELECT sum(records) AS value FROM ops.quality_minute INNER JOIN ops.quality_rules USING (rule)\n"
        "WHERE severity = 'reject'"
    )
    return [
        listing(
            "Planted and rejected",
            "Planted faults that must be rejected, and rejects, by reason; over all time. It shows unplanted rejects.",
            scored,
            width=16,
            height=8,
        ),
        figure("Rejects", "Records rejected, over all time.", totals, "short", width=8),
    ]
