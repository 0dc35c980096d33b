"""Writes ``docs/faults.md`` from the figures of a run of the fault scenarios.

pytest tests/faults --kills 30 --results results.jsonl
python tests/faults/report.py results.jsonl
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

_PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
_HEAD = """# Faults, and what they came to

Made by `tests/faults/report.py` from a run of `pytest tests/faults`, which every `make test` has
in a short form. Each scenario ends with the verification (the six figures of `clickstream verify`,
summed here) and a rebuild, which on right tables changes no row. Recovery is from the start of what
was killed to the next committed batch; a job that is started anew needs most of it to start Spark.

| Scenario | Faults | Events stored | Defects | Rows rebuilt | Recovery: median | slowest |
|---|---|---|---|---|---|---|
"""


def _row(figures: dict[str, object]) -> str:
    seconds = figures["recovery_seconds"]
    assert isinstance(seconds, list)
    median, slowest = (
        (f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s") if seconds else ("-", "-")
    )
    defects = figures["defects"]
    assert isinstance(defects, dict)
    return (
        f"| {figures['scenario']} | {figures['faults']} | {figures['stored']:,} |"
        f" {sum(defects.values())} | {figures['rebuilt_rows']} | {median} | {slowest} |"
    )


def _number(figures: dict[str, object]) -> int:
    """Return the fault's number, as in ``F10 an event of the far future``."""
    return int(str(figures["scenario"]).split()[0].removeprefix("F"))


def main() -> None:
    """Write the page."""
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    rows = map(_row, sorted(map(json.loads, lines), key=_number))
    _PAGE.write_text(_HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
