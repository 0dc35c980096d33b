"""A run in a folder, the result of a perfect pipeline, and its judgement.

Owns how both are made for tests of the judge.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from unittest import mock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from clickstream_contract.document import dump_simulation
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.shell.generation import Request, generate
from clickstream_generator.shell.output import parse_output
from clickstream_generator.shell.simulation_source import Overrides
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.mapping import parse_mapping
from clickstream_judge.core.remaking import Chunk, remake
from clickstream_judge.shell import judging, making
from clickstream_judge.shell.judging import judge
from rich.console import Console
from run_records import shared_worlds
from simulations import RUN_ID, START_SECONDS, simulation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from clickstream_judge.core.report import Report

__all__ = [
    "AGGREGATE",
    "COLUMNS",
    "Run",
    "clean_events",
    "judged",
    "make_run",
    "shared_runs",
    "sums_by_minute",
]

_EVENTS = 4_000
_REMADE: dict[object, list[Chunk]] = {}
_FAULTS = "  faults: {latePermille: 20, maxLatenessSeconds: 90, duplicatePermille: 10}\n"
COLUMNS = (
    "event_id", "event_time", "session_id", "simulation", "run_id", "event_name", "session_seq",
    "user_id", "country", "city", "campaign", "product_id", "price_minor", "value_minor",
)  # fmt: skip
AGGREGATE: dict[str, Any] = {
    "files": "sums.parquet",
    "keys": {"minute": "minute", "country": "country"},
    "measures": {
        "events": "events", "users": "users", "sessions": "sessions", "orders": "orders",
        "revenue": {"column": "revenue", "unit": "major"},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run in a folder.

    Attributes:
        folder: The folder.
        clean: The events that a perfect pipeline stores.
        sent: Every record in the folder's files, with planted duplicates.
        late: How late each late event was sent, in seconds, by its id.
        repeated: The ids that the run sent twice on purpose.
    """

    folder: Path
    clean: pa.Table
    sent: pa.Table
    late: dict[str, float]
    repeated: tuple[str, ...]


def make_run(folder: Path, events: int = _EVENTS) -> Run:
    """Generate a run with late and repeated events into a folder."""
    file = folder / "shop.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    shop = simulation(rate="{eventsPerSecond: 20}", users=400, more=_FAULTS)
    file.write_text(dump_simulation(shop), encoding="utf-8")
    with shared_worlds():
        generate(
            Request(
                file, None, Overrides(None, None, events), parse_output(f"parquet:{folder}/run"),
                start_seconds=START_SECONDS, run_id=RUN_ID,
            ),
            Console(quiet=True),
        )  # fmt: skip
    parts = sorted((folder / "run").glob("events/day=*/*.parquet"))
    sent = pa.concat_tables([pq.ParquetFile(path).read() for path in parts])
    with shared_worlds():
        late = _late(folder / "run")
    copies = Counter(sent["event_id"].to_pylist())
    repeated = tuple(event_id for event_id, count in copies.items() if count > 1)
    return Run(folder / "run", clean_events(sent), sent, late, repeated)


def clean_events(sent: pa.Table) -> pa.Table:
    """Return the first record of each event."""
    seen: set[str] = set()
    first = []
    for event_id in sent["event_id"].to_pylist():
        first.append(event_id not in seen)
        seen.add(event_id)
    return sent.filter(pa.array(first))


def _late(folder: Path) -> dict[str, float]:
    """Return the late events of a folder's run."""
    record = RunRecord.from_json((folder / "run.json").read_text(encoding="utf-8"), "run.json")
    return {
        event_id: seconds
        for chunk in remake(record, record.ends_at)
        for event_id, seconds in zip(
            chunk.table["event_id"].to_pylist(), chunk.late_seconds.tolist(), strict=True
        )
        if seconds
    }


@contextmanager
def shared_runs() -> Iterator[None]:
    """Make a run's events again only once: they do not change, and each judgement needs them."""

    def shared(
        record: RunRecord,
        last_seq: Mapping[int, int],
        fields: Iterable[str] = FIELDS,
        shards: Iterable[int] | None = None,
    ) -> Iterator[Chunk]:
        numbers = None if shards is None else tuple(shards)
        key = record.to_json(), tuple(sorted(last_seq.items())), numbers
        if key not in _REMADE:
            _REMADE[key] = list(remake(record, last_seq, fields, numbers))
        names = frozenset(fields)
        for chunk in _REMADE[key]:
            yield replace(chunk, fields=names)

    with (
        shared_worlds(),
        mock.patch.object(making, "remake", shared),
        mock.patch.object(judging, "remake", shared),
    ):
        yield


def judged(
    folder: Path,
    run: Run,
    result: pa.Table,
    columns: Any = COLUMNS,  # noqa: ANN401  names, or a mapping of them
    **more: Any,  # noqa: ANN401  a mapping's parts
) -> Report:
    """Return the judgement of a table of events, written as one Parquet file."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(result, folder / "result.parquet")
    named = columns if isinstance(columns, dict) else {name: name for name in columns}
    mapping: dict[str, Any] = {
        "truth": {"run": str(run.folder)},
        "result": {"files": "result.parquet", "columns": named},
    } | more
    with shared_runs():
        return judge(parse_mapping(yaml.safe_dump(mapping)), folder)


def sums_by_minute(events: pa.Table) -> pa.Table:
    """Return the sums of :data:`AGGREGATE`, as a pipeline with decimals stores them."""
    minute = pc.floor_temporal(events["event_time"], unit="minute")
    is_order = pc.equal(events["event_name"], "purchase")
    paid = pc.if_else(is_order, pc.fill_null(events["value_minor"], 0), 0)
    table = events.append_column("minute", minute)
    table = table.append_column("order", is_order.cast(pa.int64())).append_column("paid", paid)
    sums = table.group_by(["minute", "country"]).aggregate(
        [([], "count_all"), ("user_id", "count_distinct"), ("session_id", "count_distinct"),
         ("order", "sum"), ("paid", "sum")]
    )  # fmt: skip
    revenue = [Decimal(cents) / 100 for cents in sums["paid_sum"].to_pylist()]
    return pa.table(
        {
            "minute": sums["minute"], "country": sums["country"], "events": sums["count_all"],
            "users": sums["user_id_count_distinct"],
            "sessions": sums["session_id_count_distinct"], "orders": sums["order_sum"],
            "revenue": pa.array(revenue, pa.decimal128(18, 2)),
        }
    )  # fmt: skip
