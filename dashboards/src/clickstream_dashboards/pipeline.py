"""The dashboard Pipeline: rates, latency, rejects, and components in trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_dashboards.frame import begin, row, with_postgres, with_prometheus
from clickstream_dashboards.panels import buckets, figure, listing, series
from clickstream_dashboards.queries import PromQuery, SqlQuery, of

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["pipeline"]

_OVER = "[$__rate_interval]"
_LATENCY = "streaming_event_latency_seconds"
_BATCH = "streaming_batch_duration_seconds"
_RECONCILE = "operator_reconcile_duration_seconds"
_REQUEST = "console_request_duration_seconds"


def _rate(name: str, by: str = "", **labels: str) -> str:
    total = f"rate({of(name, **labels)}{_OVER})"
    return f"sum by ({by}) ({total})" if by else f"sum({total})"


def _quantile(share: float, name: str, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) (rate({of(name, '_bucket')}{_OVER})))"


_REJECT_SHARE = (
    f"{_rate('streaming_rejected_events_total')} / "
    f"(sum(rate({of('streaming_input_rows_total', topic='clickstream[.]events.*')}{_OVER})) > 0)"
)


def pipeline() -> Dashboard:
    """Return the dashboard."""
    built = begin(
        "pipeline",
        "Clickstream / Pipeline",
        "Rate, lag, latency, batches, rejects and state, from the generator to the tables.",
        "now-1h",
    )
    built = with_postgres(with_prometheus(built))
    built = row(built, "At a glance", _glance())
    built = row(built, "Rate and lag", _rates())
    built = row(built, "Latency and batches", _batches())
    built = row(built, "Rejects", _rejects())
    built = row(built, "State", _state())
    return row(built, "Rate, errors and duration per component", _components())


def _glance() -> list[Builder[Panel]]:
    since = f"time() - max({of('streaming_last_batch_timestamp_seconds')})"
    return [
        figure(
            "Sent",
            "Records that brokers acknowledged, per second.",
            PromQuery(_rate("generator_records_acknowledged_total")),
            "cps",
        ),
        figure(
            "Stored",
            "Events newly stored, per second.",
            PromQuery(_rate("streaming_stored_events_total")),
            "cps",
        ),
        figure(
            "Lag",
            "Records in Kafka that no batch has read.",
            PromQuery(f"sum({of('streaming_lag_records')})"),
            "short",
            red_from=100_000,
        ),
        figure(
            "Latency, p95",
            "Time from the event to the committed row: 95 of 100 events are faster.",
            PromQuery(_quantile(0.95, _LATENCY)),
            "s",
            red_from=10,
        ),
        figure(
            "Rejected",
            "Share of the read records that are no events.",
            PromQuery(_REJECT_SHARE),
            "percentunit",
            decimals=2,
            red_from=0.05,
        ),
        figure(
            "Last batch",
            "Time since the last committed batch. A stream without new data commits none.",
            PromQuery(since),
            "s",
        ),
    ]


def _rates() -> list[Builder[Panel]]:
    stages = [
        PromQuery(_rate("generator_records_acknowledged_total"), "sent"),
        PromQuery(_rate("streaming_input_rows_total", topic="clickstream[.]events.*"), "read"),
        PromQuery(_rate("streaming_stored_events_total"), "stored"),
        PromQuery(_rate("streaming_duplicate_events_total"), "twice"),
        PromQuery(_rate("streaming_late_events_total"), "late"),
    ]
    behind = f"time() - max({of('streaming_event_time_timestamp_seconds')})"
    return [
        series(
            "Rate by stage",
            "Records per second: acknowledged by brokers, read from Kafka, newly stored, duplicates, behind the watermark.",
            stages,
            "cps",
            width=12,
        ),
        series(
            "Read by topic",
            "Records per second read from each topic.",
            [PromQuery(_rate("streaming_input_rows_total", "topic"), "{{topic}}")],
            "cps",
            width=12,
        ),
        series(
            "Lag by partition",
            "Records in Kafka that no batch has read.",
            [
                PromQuery(
                    f"sum by (topic, partition) ({of('streaming_lag_records')})",
                    "{{topic}} {{partition}}",
                )
            ],
            "short",
            width=8,
        ),
        series(
            "Age of the lag",
            "Age of the last read record, in partitions with unread records.",
            [
                PromQuery(
                    f"max by (topic, partition) ({of('streaming_lag_seconds')})",
                    "{{topic}} {{partition}}",
                )
            ],
            "s",
            width=8,
        ),
        series(
            "Event time behind the clock",
            "Age of the latest stored event. While the stream catches up with a history, it falls to 0.",
            [PromQuery(behind, "behind")],
            "s",
            width=8,
        ),
    ]


def _batches() -> list[Builder[Panel]]:
    latency = [
        PromQuery(_quantile(share, _LATENCY), f"p{share * 100:.0f}") for share in (0.5, 0.95, 0.99)
    ]
    phases = [PromQuery(_quantile(0.95, _BATCH, "le, phase"), "{{phase}}")]
    mean = f"sum by (phase) (rate({of(_BATCH, '_sum')}{_OVER})) / sum by (phase) (rate({of(_BATCH, '_count')}{_OVER}))"
    return [
        series("Latency", "Time from the event to the committed row.", latency, "s", width=12),
        buckets(
            "Latency, all events",
            "Number of events by their latency.",
            PromQuery(
                f"sum by (le) (increase({of(_LATENCY, '_bucket')}{_OVER}))",
                "{{le}}",
                is_heatmap=True,
            ),
            "s",
        ),
        series(
            "Batch phases, p95",
            "Time to read and write a partition, and of the whole batch.",
            phases,
            "s",
            width=8,
        ),
        series(
            "Batch phases, mean",
            "The same, on average.",
            [PromQuery(mean, "{{phase}}")],
            "s",
            width=8,
        ),
        series(
            "Batches",
            "Whole batches per second.",
            [PromQuery(f"sum(rate({of(_BATCH, '_count', phase='all')}{_OVER}))", "batches")],
            "ops",
            width=8,
        ),
    ]


def _rejects() -> list[Builder[Panel]]:
    rules = SqlQuery(
        "SELECT counted.rule, rules.severity, rules.reason, rules.doc AS meaning,\n"
        "    sum(counted.records)::bigint AS records\n"
        "FROM ops.quality_minute AS counted\n"
        "INNER JOIN ops.quality_rules AS rules USING (rule)\n"
        "WHERE $__timeFilter(counted.minute)\n"
        "GROUP BY 1, 2, 3, 4 ORDER BY records DESC LIMIT 25"
    )
    latest = SqlQuery(
        "SELECT kafka_timestamp AS time, reason, detail, topic, kafka_partition AS partition,\n"
        "    kafka_offset AS offset, encode(substring(payload FOR 120), 'escape') AS payload\n"
        "FROM ops.rejected_events\nWHERE $__timeFilter(kafka_timestamp)\n"
        "ORDER BY kafka_timestamp DESC LIMIT 25"
    )
    return [
        series(
            "Rejects by reason",
            "Records per second that are no events, by reason.",
            [PromQuery(_rate("streaming_rejected_events_total", "reason"), "{{reason}}")],
            "cps",
            width=12,
            is_stacked=True,
        ),
        series(
            "Share rejected",
            "Share of the read records that are no events.",
            [PromQuery(_REJECT_SHARE, "rejected")],
            "percentunit",
            width=12,
        ),
        listing(
            "Rules broken",
            "Records that broke a rule of data quality: rejected, or stored with a flag.",
            rules,
            width=12,
        ),
        listing(
            "Latest rejects",
            "The content of records that are no events: the first 120 bytes.",
            latest,
            {"time": "dateTimeAsIso"},
            width=12,
        ),
    ]


def _state() -> list[Builder[Panel]]:
    runs = SqlQuery(
        'SELECT runs.simulation, runs.run_id, runs.first_seen_at AS "first seen", runs.closed_at AS closed,\n'
        "    min(shards.watermark) AS watermark, count(shards.shard) AS shards,\n"
        "    sum(shards.stored_events)::bigint AS stored, sum(shards.late_events)::bigint AS late\n"
        "FROM ops.runs AS runs LEFT JOIN ops.shards AS shards USING (run_id)\n"
        "WHERE runs.simulation IN (${simulation:sqlstring})\n"
        "GROUP BY runs.run_id, runs.simulation, runs.first_seen_at, runs.closed_at\n"
        "ORDER BY runs.first_seen_at DESC LIMIT 25"
    )
    offsets = SqlQuery(
        'SELECT query, topic, kafka_partition AS partition, max(until_offset) AS "read up to",\n'
        "    max(committed_at) AS committed\nFROM ops.batches\nWHERE $__timeFilter(committed_at)\n"
        "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    summaries = SqlQuery(
        'SELECT summary_table AS "table", computed_at AS computed, seconds AS took\n'
        "FROM ops.summary_refreshes ORDER BY summary_table"
    )
    return [
        listing(
            "Runs",
            "Runs of the simulations: when first seen, and closed when all was stored. Sessions whose"
            " last event is more than 30 minutes before the watermark are over.",
            runs,
            {
                "first seen": "dateTimeAsIso",
                "closed": "dateTimeAsIso",
                "watermark": "dateTimeAsIso",
            },
            width=12,
        ),
        listing(
            "Offsets",
            "Offsets of each partition that batches of the time range have read.",
            offsets,
            {"committed": "dateTimeAsIso"},
            width=12,
        ),
        listing(
            "Summary tables",
            "When the summary tables were computed, and how long it took.",
            summaries,
            {"computed": "dateTimeAsIso", "took": "s"},
            width=12,
            height=6,
        ),
    ]


def _components() -> list[Builder[Panel]]:
    return [*_generator(), *_stream(), *_operator(), *_console()]


def _generator() -> list[Builder[Panel]]:
    return [
        series(
            "Generator: rate",
            "Events per second handed to Kafka's client, by name.",
            [PromQuery(_rate("generator_events_total", "event_name"), "{{event_name}}")],
            "cps",
            width=8,
            is_stacked=True,
        ),
        series(
            "Generator: errors",
            "Events left out because of overload, and rejected changes of the file.",
            [
                PromQuery(_rate("generator_shed_events_total"), "left out"),
                PromQuery(
                    _rate("generator_spec_changes_total", outcome="refused"), "changes refused"
                ),
            ],
            "cps",
            width=8,
        ),
        series(
            "Generator: how late",
            "How far the next event is behind the clock.",
            [PromQuery(f"max by (instance) ({of('generator_event_lag_seconds')})", "{{instance}}")],
            "s",
            width=8,
        ),
    ]


def _stream() -> list[Builder[Panel]]:
    return [
        series(
            "Stream: rate",
            "Records per second read.",
            [PromQuery(_rate("streaming_input_rows_total"), "read")],
            "cps",
            width=8,
        ),
        series(
            "Stream: errors",
            "Records per second rejected.",
            [PromQuery(_rate("streaming_rejected_events_total"), "rejected")],
            "cps",
            width=8,
        ),
        series(
            "Stream: duration",
            "Time of a whole batch.",
            [
                PromQuery(
                    f"histogram_quantile({share}, sum by (le) (rate({of(_BATCH, '_bucket', phase='all')}{_OVER})))",
                    f"p{share * 100:.0f}",
                )
                for share in (0.5, 0.95)
            ],
            "s",
            width=8,
        ),
    ]


def _operator() -> list[Builder[Panel]]:
    failed = f"{_rate('operator_reconciles_total', outcome='error')} / ({_rate('operator_reconciles_total')} > 0)"
    return [
        series(
            "Operator: rate",
            "Reconciles per second, by outcome.",
            [PromQuery(_rate("operator_reconciles_total", "outcome"), "{{outcome}}")],
            "ops",
            width=6,
        ),
        series(
            "Operator: errors",
            "Share of the failed reconciles.",
            [PromQuery(failed, "failed")],
            "percentunit",
            width=6,
        ),
        series(
            "Operator: duration",
            "Time of a reconcile.",
            [
                PromQuery(_quantile(share, _RECONCILE), f"p{share * 100:.0f}")
                for share in (0.5, 0.95)
            ],
            "s",
            width=6,
        ),
        series(
            "Operator: writes",
            "Writes to the API server per second, by verb. Without changes there are none.",
            [PromQuery(_rate("operator_api_writes_total", "verb"), "{{verb}}")],
            "wps",
            width=6,
        ),
    ]


def _console() -> list[Builder[Panel]]:
    return [
        series(
            "Console: rate",
            "Requests per second, by the answer's status.",
            [PromQuery(f"sum by (status) (rate({of(_REQUEST, '_count')}{_OVER}))", "{{status}}")],
            "reqps",
            width=8,
        ),
        series(
            "Console: errors",
            "Questions per second that the database did not answer.",
            [PromQuery(_rate("console_database_failures_total"), "not answered")],
            "cps",
            width=8,
        ),
        series(
            "Console: duration",
            "Time until an answer begins.",
            [PromQuery(_quantile(share, _REQUEST), f"p{share * 100:.0f}") for share in (0.5, 0.95)],
            "s",
            width=8,
        ),
    ]
