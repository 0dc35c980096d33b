"""``clickstream truth``: what share of each segment's sessions buy, computed from the simulation.

Owns the command's arguments and its two tables, of segments and of arms. Heavy modules are imported
inside the command, so that other commands start fast.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from clickstream_contract.duration import format_duration
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.experiments import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickstream_generator.core.behaviour import Behaviour

__all__ = ["truth"]

_MOST_SEGMENTS = 20_000
"""They take a minute or two."""
_SEGMENT_COLUMNS = ("segment", "share", "conversion", "events")
_ARM_COLUMNS = ("experiment", "arm", "share", "conversion", "lift")


def truth(
    file: Annotated[Path, typer.Argument(help="The simulation, a ClickstreamSimulation in YAML.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Attributes that divide sessions into segments, such as device,channel; may be "
            "repeated. Default: each attribute alone."
        ),
    ] = None,
    *,
    experiments: Annotated[
        bool,
        typer.Option("--experiments", help="Print the arms of the experiments, with their lift."),
    ] = False,
) -> None:
    """Print the true conversion of each segment or arm of a simulation, as CSV; needs no run."""
    from clickstream_generator.core.behaviour import Behaviours  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import (  # noqa: PLC0415
        Overrides,
        read_simulation,
    )

    if experiments and by:
        raise SimulationInvalid("--by", ",".join(by), "nothing with --experiments")
    spec = read_simulation(file, Overrides()).spec
    if experiments and not spec.experiments:
        raise SimulationInvalid("spec.experiments", None, "at least one with --experiments")
    behaviour = Behaviours(spec).of(spec)
    columns, rows = (
        (_ARM_COLUMNS, _arms(behaviour))
        if experiments
        else (_SEGMENT_COLUMNS, _segments(behaviour, by or ()))
    )
    edges = ["", *(format_duration(int(start)) for start in behaviour.profiles.range_starts), ""]
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("from", "until", *columns))
    for number, *row in rows:
        writer.writerow((edges[number], edges[number + 1], *row))


def _segments(behaviour: Behaviour, by: Sequence[str]) -> list[tuple[int, str, str, str, str]]:
    """Return the range and the columns of each segment."""
    from clickstream_generator.core.segment_truth import (  # noqa: PLC0415
        ATTRIBUTES,
        count_segments,
        segment_truths,
    )

    kinds = [name.split(",") for name in by] or [[], *([name] for name in ATTRIBUTES)]
    for name in [name for kind in kinds for name in kind]:
        if name not in ATTRIBUTES:
            raise SimulationInvalid("--by", name, f"some of {', '.join(ATTRIBUTES)}")
    if (count := count_segments(behaviour, kinds)) > _MOST_SEGMENTS:
        allowed = f"attributes that divide sessions into at most {_MOST_SEGMENTS} segments"
        raise SimulationInvalid("--by", f"{count} segments", allowed)
    return [
        (
            row.range_number,
            _named(row.segment.items()),
            f"{row.share:.6f}",
            f"{row.conversion:.6f}",
            f"{row.events:.4f}",
        )
        for row in segment_truths(behaviour, kinds)
    ]


def _arms(behaviour: Behaviour) -> list[tuple[int, str, str, str, str, str]]:
    """Return the range and the columns of each arm."""
    from clickstream_generator.core.segment_truth import arm_truths  # noqa: PLC0415

    return [
        (
            row.range_number,
            row.experiment,
            row.arm,
            f"{row.share:.6f}",
            f"{row.conversion:.6f}",
            "" if row.arm == CONTROL else f"{row.lift:.6f}",
        )
        for row in arm_truths(behaviour)
    ]


def _named(segment: Iterable[tuple[str, str]]) -> str:
    """Return a segment as text, such as ``device=mobile channel=email``."""
    return " ".join(f"{name}={value}" for name, value in segment) or "all"
