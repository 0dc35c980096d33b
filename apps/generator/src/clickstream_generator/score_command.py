"""``clickstream score-incidents``: how well a detector found the incidents of a simulation.

Owns the command's arguments and its table.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import Annotated

import typer
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.incident_score import read_intervals, score

__all__ = ["score_incidents"]

_MOST_BYTES = 16_777_216
_COLUMNS = ("incidents", "detections", "found", "precision", "recall", "median_delay_seconds")


def score_incidents(
    truth: Annotated[
        Path, typer.Argument(help="The output of: clickstream truth FILE --incidents.")
    ],
    detected: Annotated[
        Path, typer.Argument(help="CSV with the detector's intervals: columns from and until.")
    ],
) -> None:
    """Print precision, recall and delay of a detector of incidents, as CSV."""
    incidents = read_intervals(_text(truth), str(truth))
    found = score(incidents, read_intervals(_text(detected), str(detected), incidents))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerow(
        (
            found.incidents,
            found.detections,
            found.found,
            _shown(found.precision, 4),
            _shown(found.recall, 4),
            _shown(found.median_delay_seconds, 1),
        )
    )


def _text(file: Path) -> str:
    """Return the text of a file."""
    try:
        if (size := file.stat().st_size) > _MOST_BYTES:
            raise SimulationInvalid(str(file), f"{size} bytes", f"at most {_MOST_BYTES} bytes")
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationInvalid(str(file), None, f"it cannot be read: {error}") from None


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
