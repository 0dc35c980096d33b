"""Writes ``docs/faults.md`` from the figures of a run of the fault scenarios.

pytest tests/faults --kills 30 --results results.jsonl
PYTHONPATH=tests/support python tests/faults/report.py results.jsonl
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from floods import MOST_MEBIBYTES, PER_HOUR

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD = """# Faults, and what they came to

Made by `tests/faults/report.py` from `pytest tests/faults --kills 30 --results FILE`, F3 with
`--kills 150`, F22 with `--kills 20`; `make faults` plays the same with fewer kills, `make test` one
fault of each family.
Each scenario ends with the verification (the seven figures of `clickstream verify`, summed) and
a rebuild, which on right tables changes no row. Detected is from the fault to the first word about
it; recovery from its end to the next committed batch. A job that is started anew needs most of it
to start Spark. The stream reaches Kafka and PostgreSQL through a proxy that can reset connections,
and lose every packet as a pulled cable does; full disks are small file systems, and the stream's
clock is set by libfaketime: ahead by a day, which may end it by name, back, and right again.

| Scenario | Faults | Stored | Defects | Rebuilt | Detected | Recovery: median | slowest | Shown |
|---|---|---|---|---|---|---|---|---|
"""
_INVARIANTS_HEAD = """
## Invariants

Every scenario holds all that have a figure here; the figure is the sum over the rows above, or the
worst of them.

| Invariant | Measured by | Figure |
|---|---|---|
"""

_FLOOD_HEAD = """
## A flood

F23 sends the worst records of an hour in a minute, each kind side by side, to a laptop's pipeline:
accepted events of 790 days, rejected records, and ledger rows. Each rejected record is one reject.
Afterwards the same process of the stream stores a normal run. `make faults` holds each figure to
its bound.

"""


def _seconds(figures: dict[str, Any], name: str, of: Callable[[list[float]], float]) -> str:
    return f"{of(figures[name]):.1f} s" if figures[name] else "-"


def _row(figures: dict[str, Any]) -> str:
    return (
        f"| {figures['scenario']} | {figures['faults']} | {figures['stored']:,} |"
        f" {sum(figures['defects'].values())} | {figures['rebuilt_rows']} |"
        f" {_seconds(figures, 'detect_seconds', max)} |"
        f" {_seconds(figures, 'recovery_seconds', statistics.median)} |"
        f" {_seconds(figures, 'recovery_seconds', max)} | {figures['shown'] or '-'} |"
    )


def _invariants(rows: list[dict[str, Any]]) -> list[str]:
    """Return the invariants' rows."""

    def defects(*names: str) -> str:
        return str(sum(row["defects"][name] for row in rows for name in names))

    def worst(name: str) -> str:
        return f"{max((second for row in rows for second in row[name]), default=0):.1f} s at most"

    peaks = [
        f"{service} {max(row['peak_mebibytes'][service] for row in rows):,} MiB"
        for service in ("streaming", "generator")
    ]
    alarms = sum(len(row["alarms"]) for row in rows)
    secrets = sum(row["secrets"] for row in rows)
    table = [
        ("I1 no acknowledged loss", "verification: lost", defects("lost")),
        ("I2 no duplicates", "verification: duplicated", defects("duplicated")),
        ("I3 no phantom", "verification: phantom", defects("phantom")),
        ("I3a content as sent", "verification: altered", defects("altered")),
        (
            "I4 every record is accounted for",
            "every record in the topic is stored, rejected, or an event that is stored",
            f"{sum(row['unaccounted'] for row in rows)} left over",
        ),
        (
            "I5 aggregates follow from events",
            "verification: aggregate_mismatches; rebuild",
            f"{defects('aggregate_mismatches')}; {sum(row['rebuilt_rows'] for row in rows)} rows",
        ),
        (
            "I6 sessions are legal",
            "verification: illegal_transitions, session_mismatches",
            defects("illegal_transitions", "session_mismatches"),
        ),
        (
            "I7 offsets tile",
            "each batch in `ops.batches` begins where the one before it ended",
            f"{sum(row['offset_gaps'] for row in rows)} gaps",
        ),
        ("I8 determinism", "`tests/unit/generator`, `tests/integration/test_generator.py`", "-"),
        (
            "I9 convergence",
            "`tests/golden`, `tests/unit/operator`, `tests/integration/test_operator.py`",
            "-",
        ),
        ("I10 recovery", "from a fault's end to the next batch", worst("recovery_seconds")),
        ("I11 boundedness", "memory of the processes, sampled twice a second", ", ".join(peaks)),
        (
            "I12 silence",
            "lines of alarm that no fault explains; passwords in logs",
            f"{alarms}; {secrets}",
        ),
        ("I13 honest status", "from a fault to its name in a log", worst("detect_seconds")),
    ]
    return [f"| {' | '.join(row)} |" for row in table]


def _flood(rows: list[dict[str, Any]]) -> list[str]:
    """Return the tables of the flood: what was sent, and what it took."""
    taken: dict[str, int] = next((row["taken"] for row in rows if row.get("taken")), {})
    return [
        "| Records | In a minute |", "|---|---|",
        *(f"| {kind} | {count:,} |" for kind, count in PER_HOUR.items()),
        "",
        "| Mebibytes | Most | Bound |", "|---|---|---|",
        *(
            f"| {name} | {taken.get(name, 0):,} | {most:,} |"
            for name, most in MOST_MEBIBYTES.items()
        ),
    ]  # fmt: skip


def _number(figures: dict[str, Any]) -> int:
    """Return the fault's number, as in ``F10 an event of the far future``."""
    return int(figures["scenario"].split()[0].removeprefix("F"))


def main() -> None:
    """Write the page; of a scenario that was run again the last counts."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    last = {row["scenario"]: row for row in map(json.loads, lines)}
    rows = sorted(last.values(), key=_number)
    text = _HEAD + "\n".join(map(_row, rows)) + "\n"
    text += _INVARIANTS_HEAD + "\n".join(_invariants(rows)) + "\n"
    text += _FLOOD_HEAD + "\n".join(_flood(rows)) + "\n"
    _PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
