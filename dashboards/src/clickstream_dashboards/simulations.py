"""The dashboard Simulations: whether each shop gets the traffic of its spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.ledger import FAULT_NAMES

from clickstream_dashboards.frame import begin, row, with_postgres, with_prometheus
from clickstream_dashboards.panels import figure, listing, series
from clickstream_dashboards.queries import PromQuery, SqlQuery, by_simulation, of

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["simulations"]

_OVER = "[$__rate_interval]"
_LEDGER = (
    "FROM ops.ledger\nWHERE $__timeFilter(minute)\n  AND simulation IN (${simulation:sqlstring})"
)
_POINT = (
    "date_bin(greatest('$__interval'::interval, interval '1 minute'), minute,"
    " timestamptz '2020-01-06 00:00+00')"
)
_TARGET = by_simulation(of("generator_target_events_per_second"))
_ACHIEVED = by_simulation(of("generator_achieved_events_per_second"))


def simulations() -> Dashboard:
    """Return the dashboard."""
    built = begin(
        "simulations",
        "Clickstream / Simulations",
        "Target and achieved rate, workers and shards, and the planted faults.",
        "now-1h",
    )
    built = with_postgres(with_prometheus(built))
    built = row(built, "At a glance", _glance())
    built = row(built, "Target against achieved", _rates())
    built = row(built, "Workers and shards", [*_shards(), *_states()])
    return row(built, "Faults planted", _faults())


def _glance() -> list[Builder[Panel]]:
    workers = by_simulation(of("generator_target_events_per_second") + " * 0 + 1")
    planted = " + ".join(f"{name}_faults" for name in FAULT_NAMES)
    return [
        figure(
            "Target",
            "Present target rate, in events per second.",
            PromQuery(f"sum({_TARGET})"),
            "cps",
        ),
        figure(
            "Achieved",
            "Events per second acknowledged in the last ten seconds.",
            PromQuery(f"sum({_ACHIEVED})"),
            "cps",
        ),
        figure(
            "Achieved of target",
            "Below 95 % the operator adds a worker, up to the limit.",
            PromQuery(f"sum({_ACHIEVED}) / (sum({_TARGET}) > 0)"),
            "percentunit",
            decimals=1,
            red_below=0.95,
        ),
        figure("Workers", "Processes that send.", PromQuery(f"sum({workers})"), "short"),
        figure(
            "Sessions under way",
            "Sessions that have begun and not ended.",
            PromQuery(f"sum({by_simulation(of('generator_active_sessions'))})"),
            "short",
        ),
        figure(
            "Faults planted",
            "Faults in the ledger's minutes of the time range, including losses.",
            SqlQuery(f"SELECT sum({planted})::bigint AS value\n{_LEDGER}"),
            "short",
        ),
    ]


def _rates() -> list[Builder[Panel]]:
    ledger = SqlQuery(
        f"SELECT {_POINT} AS time,\n"
        "    sum(target_milli_per_second) / 1000.0 / count(DISTINCT minute) AS target,\n"
        f"    sum(events) / 60.0 / count(DISTINCT minute) AS sent\n{_LEDGER}\nGROUP BY 1 ORDER BY 1",
        is_series=True,
    )
    names = by_simulation(f"rate({of('generator_events_total')}{_OVER})", "event_name")
    shed = by_simulation(f"rate({of('generator_shed_events_total')}{_OVER})")
    lag = of("generator_event_lag_seconds")
    info = of("generator_simulation_info", simulation="$simulation")
    late = f"max by (simulation) ({lag} * on (job, instance) group_left (simulation) {info})"
    return [
        series(
            "Target and achieved",
            "Target rate, and events per second acknowledged in the last ten seconds.",
            [
                PromQuery(_TARGET, "{{simulation}}: target"),
                PromQuery(_ACHIEVED, "{{simulation}}: achieved"),
            ],
            "cps",
        ),
        series(
            "Target and sent, by the ledger",
            "The same from the ledger: per minute of event time, all runs of the chosen simulations.",
            [ledger],
            "cps",
        ),
        series(
            "Events by name",
            "Events per second handed to Kafka's client.",
            [PromQuery(f"sum by (event_name) ({names})", "{{event_name}}")],
            "cps",
            width=8,
            is_stacked=True,
        ),
        series(
            "How late",
            "How far the next event is behind the clock. If it stays above 0, the simulation cannot reach its rate.",
            [PromQuery(late, "{{simulation}}")],
            "s",
            width=8,
        ),
        series(
            "Left out",
            "Events per second left out because of overload, in simulations with onOverload: Shed.",
            [PromQuery(shed, "{{simulation}}")],
            "cps",
            width=8,
        ),
    ]


def _shards() -> list[Builder[Panel]]:
    shards = SqlQuery(
        "SELECT known.simulation, known.run_id, known.shard, known.stored_events AS stored,\n"
        '    known.end_shard_seq AS "last event", known.records_sent AS sent,\n'
        "    known.records_acknowledged AS acknowledged, known.dropped_events AS dropped\n"
        "FROM ops.shards AS known INNER JOIN ops.runs AS runs USING (run_id)\n"
        "WHERE known.simulation IN (${simulation:sqlstring})\n"
        "ORDER BY runs.first_seen_at DESC, known.shard LIMIT 100"
    )
    queue = f"{by_simulation(of('generator_queue_messages'))} / {by_simulation(of('generator_queue_limit_messages'))}"
    busy = by_simulation(f"rate({of('generator_busy_seconds_total')}{_OVER})", "instance")
    return [
        listing(
            "Shards",
            "Each shard of the latest runs: its stored events, and its end.",
            shards,
            width=12,
        ),
        series(
            "Queue",
            "Share of the queue that waits for acknowledgement. At 1 the generator waits for Kafka.",
            [PromQuery(queue, "{{simulation}}")],
            "percentunit",
            width=6,
        ),
        series(
            "Busy",
            "Share of a core's time that a process works.",
            [PromQuery(busy, "{{instance}}")],
            "percentunit",
            width=6,
        ),
        series(
            "Sessions under way",
            "Sessions that have begun and not ended.",
            [PromQuery(by_simulation(of("generator_active_sessions")), "{{simulation}}")],
            "short",
            width=6,
        ),
        series(
            "Shards over and resumed",
            "Shards whose last event is acknowledged, and shards that continued from a snapshot.",
            [
                PromQuery(by_simulation(of("generator_shards_over")), "{{simulation}}: over"),
                PromQuery(by_simulation(of("generator_resumed_shards")), "{{simulation}}: resumed"),
            ],
            "short",
            width=6,
        ),
    ]


def _states() -> list[Builder[Panel]]:
    changes = by_simulation(f"increase({of('generator_spec_changes_total')}{_OVER})", "outcome")
    return [
        series(
            "Snapshots",
            "Size of the last snapshot of each shard, summed.",
            [PromQuery(by_simulation(of("generator_snapshot_bytes")), "{{simulation}}")],
            "bytes",
            width=6,
        ),
        series(
            "Changes",
            "Changes of the simulation's file, by outcome.",
            [PromQuery(changes, "{{simulation}}: {{outcome}}")],
            "short",
            width=6,
            is_bars=True,
        ),
        series(
            "Conditions",
            "Simulations on the cluster by condition.",
            [
                PromQuery(
                    f"sum by (type, status) ({of('operator_simulations')})", "{{type}}: {{status}}"
                )
            ],
            "short",
            width=6,
        ),
        series(
            "Delivered",
            "Records acknowledged since the run began.",
            [PromQuery(by_simulation(of("generator_delivered_records")), "{{simulation}}")],
            "short",
            width=6,
        ),
    ]


def _faults() -> list[Builder[Panel]]:
    columns = ",\n    ".join(f"sum({name}_faults) AS {name}" for name in FAULT_NAMES)
    over_time = SqlQuery(
        f"SELECT {_POINT} AS time, {columns}\n{_LEDGER}\nGROUP BY 1 ORDER BY 1", is_series=True
    )
    # First the sums, then one row per kind: that is much less to pivot.
    sums = ", ".join(f"sum({name}_faults) AS {name}" for name in FAULT_NAMES)
    values = ", ".join(f"('{name}', {name})" for name in FAULT_NAMES)
    totals = SqlQuery(
        "SELECT simulation, fault, faults::bigint AS planted\n"
        f"FROM (\n    SELECT simulation, {sums}\n    {_LEDGER}\n    GROUP BY simulation\n) AS summed,\n"
        f"    LATERAL (VALUES {values}) AS planted (fault, faults)\n"
        "WHERE faults > 0 ORDER BY planted DESC"
    )
    return [
        series(
            "Faults over time",
            "Planted faults, by minute of event time and kind.",
            [over_time],
            "short",
            is_bars=True,
            is_stacked=True,
        ),
        listing("Faults by kind", "Planted faults of the time range.", totals),
    ]
