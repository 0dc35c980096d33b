"""``clickstream truth``: what share of each segment's sessions buy, computed from the simulation.

Owns the command's arguments and its table. Heavy modules are imported inside the command, so that
other commands start fast.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from clickstream_contract.duration import format_duration
from clickstream_contract.errors import SimulationInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["truth"]

_MOST_SEGMENTS = 20_000
"""They take a minute or two."""
_COLUMNS = ("from", "until", "segment", "share", "conversion", "events")


def truth(
    file: Annotated[Path, typer.Argument(help="The simulation, a ClickstreamSimulation in YAML.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Attributes that divide sessions into segments, such as device,channel; may be "
            "repeated. Default: each attribute alone."
        ),
    ] = None,
) -> None:
    """Print the true conversion of each segment of a simulation, as CSV; it needs no run."""
    from clickstream_generator.core.behaviour import Behaviours  # noqa: PLC0415
    from clickstream_generator.core.segment_truth import (  # noqa: PLC0415
        ATTRIBUTES,
        count_segments,
        segment_truths,
    )
    from clickstream_generator.shell.simulation_source import (  # noqa: PLC0415
        Overrides,
        read_simulation,
    )

    kinds = [name.split(",") for name in by or ()] or [[], *([name] for name in ATTRIBUTES)]
    for name in [name for kind in kinds for name in kind]:
        if name not in ATTRIBUTES:
            raise SimulationInvalid("--by", name, f"some of {', '.join(ATTRIBUTES)}")
    spec = read_simulation(file, Overrides()).spec
    behaviour = Behaviours(spec).of(spec)
    if (count := count_segments(behaviour, kinds)) > _MOST_SEGMENTS:
        allowed = f"attributes that divide sessions into at most {_MOST_SEGMENTS} segments"
        raise SimulationInvalid("--by", f"{count} segments", allowed)
    edges = ["", *(format_duration(int(start)) for start in behaviour.profiles.range_starts), ""]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in segment_truths(behaviour, kinds):
        writer.writerow(
            (
                edges[row.range_number],
                edges[row.range_number + 1],
                _named(row.segment.items()),
                f"{row.share:.6f}",
                f"{row.conversion:.6f}",
                f"{row.events:.4f}",
            )
        )


def _named(segment: Iterable[tuple[str, str]]) -> str:
    """Return a segment as text, such as ``device=mobile channel=email``."""
    return " ".join(f"{name}={value}" for name, value in segment) or "all"
