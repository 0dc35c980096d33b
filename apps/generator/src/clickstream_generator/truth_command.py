"""``clickstream truth``: what share of each segment's sessions buy, computed from the simulation.

Owns the command's arguments and its tables, of segments, of arms, of incidents and of tastes. Heavy
modules are imported inside the command, so that other commands start fast.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003  typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from clickstream_contract.currencies import MINOR_UNITS
from clickstream_contract.duration import format_duration
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.experiments import CONTROL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clickstream_contract.simulation import SimulationSpec

    from clickstream_generator.core.behaviour import Behaviour
    from clickstream_generator.core.tastes import Tastes

__all__ = ["TasteTable", "truth"]

_MOST_SEGMENTS = 20_000
"""They take a minute or two."""
_SEGMENT_COLUMNS = ("segment", "share", "conversion", "events")
_ARM_COLUMNS = ("experiment", "arm", "share", "conversion", "lift")
_INCIDENT_COLUMNS = (
    "incident", "kind", "scope", "lost_orders", "orders_tolerance", "lost_revenue",
    "revenue_tolerance",
)  # fmt: skip


class TasteTable(StrEnum):
    """A table of the truth about tastes."""

    USERS = "users"
    COMPANIONS = "companions"
    RECOMMENDERS = "recommenders"


_TASTE_COLUMNS = {
    TasteTable.USERS: ("user_id", "category", "share", "price_level"),
    TasteTable.COMPANIONS: ("product_id", "companion_id", "share"),
    TasteTable.RECOMMENDERS: ("recommender", "hit_rate", "margin"),
}


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
    incidents: Annotated[
        bool,
        typer.Option("--incidents", help="Print the incidents, with the loss by each."),
    ] = False,
    tastes: Annotated[
        TasteTable | None,
        typer.Option(
            help="Print what each user likes, which products go together, or how often the best "
            "recommender is right."
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="With --incidents: start of the live part, ISO 8601 with a time zone. Default: "
            "times after the start, and the mean over the week."
        ),
    ] = None,
) -> None:
    """Print the truth about segments, arms, incidents or tastes, as CSV; needs no run."""
    from clickstream_generator.core.behaviour import Behaviours  # noqa: PLC0415
    from clickstream_generator.shell.simulation_source import (  # noqa: PLC0415
        Overrides,
        read_simulation,
        read_start,
    )

    chosen = [
        name
        for name, given in (
            ("--experiments", experiments),
            ("--incidents", incidents),
            ("--tastes", tastes is not None),
        )
        if given
    ]
    _refuse_misfits(chosen, by, start)
    start_seconds = read_start(start)
    spec = read_simulation(file, Overrides()).spec
    _refuse_absent(chosen, spec)
    behaviour = Behaviours(spec).of(spec)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if tastes and behaviour.world.tastes:
        writer.writerow(_TASTE_COLUMNS[tastes])
        writer.writerows(_tastes(behaviour, behaviour.world.tastes, tastes))
        return
    if incidents:
        writer.writerow(("from", "until", *_INCIDENT_COLUMNS))
        writer.writerows(_incidents(behaviour, start_seconds))
        return
    columns, rows = (
        (_ARM_COLUMNS, _arms(behaviour))
        if experiments
        else (_SEGMENT_COLUMNS, _segments(behaviour, by or ()))
    )
    edges = ["", *(format_duration(int(edge)) for edge in behaviour.profiles.range_starts), ""]
    writer.writerow(("from", "until", *columns))
    for number, *row in rows:
        writer.writerow((edges[number], edges[number + 1], *row))


def _refuse_misfits(chosen: Sequence[str], by: Sequence[str] | None, start: str | None) -> None:
    """Raise an error for options that do not fit together."""
    if chosen and by:
        raise SimulationInvalid("--by", ",".join(by), f"nothing with {chosen[0]}")
    if len(chosen) > 1:
        raise SimulationInvalid(chosen[-1], None, f"one of {' and '.join(chosen)}")
    if start is not None and "--incidents" not in chosen:
        raise SimulationInvalid("--start", start, "only with --incidents")


def _refuse_absent(chosen: Sequence[str], spec: SimulationSpec) -> None:
    """Raise an error if the simulation has nothing of what an option prints."""
    if "--experiments" in chosen and not spec.experiments:
        raise SimulationInvalid("spec.experiments", None, "at least one with --experiments")
    if "--incidents" in chosen and not spec.every_incident:
        raise SimulationInvalid("spec.incidents", None, "at least one with --incidents")
    if "--tastes" in chosen and not spec.tastes:
        raise SimulationInvalid("spec.tastes", None, "a value with --tastes, such as {}")


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


def _incidents(behaviour: Behaviour, start_seconds: float | None) -> list[tuple[str, ...]]:
    """Return the columns of each incident."""
    from clickstream_generator.core.incident_truth import incident_truths  # noqa: PLC0415

    return [
        (
            *(_time(moment, start_seconds) for moment in row.incident.span_seconds),
            row.incident.name,
            row.incident.kind,
            row.incident.who.text,
            f"{row.orders:.2f}",
            f"{row.orders_tolerance:.2f}",
            f"{row.revenue_minor / MINOR_UNITS:.2f}",
            f"{row.revenue_tolerance_minor / MINOR_UNITS:.2f}",
        )
        for row in incident_truths(behaviour, start_seconds)
    ]


def _tastes(behaviour: Behaviour, tastes: Tastes, table: TasteTable) -> Iterator[tuple[str, ...]]:
    """Yield the columns of a table of the truth about tastes."""
    from clickstream_generator.core.taste_truth import (  # noqa: PLC0415
        recommender_truths,
        user_tastes,
    )

    if table is TasteTable.USERS:
        for user in user_tastes(behaviour, tastes):
            for category, share in user.categories.items():
                yield user.user_id, category, f"{share:.4f}", f"{user.price_level:.4f}"
    elif table is TasteTable.COMPANIONS:
        products = behaviour.world.catalog.product_ids
        for product, companions in zip(products, tastes.companions.tolist(), strict=True):
            for companion in companions:
                yield product, products[companion], f"{tastes.together_share / len(companions):.4f}"
    else:
        for row in recommender_truths(behaviour, tastes):
            yield row.recommender, f"{row.hit_rate:.4f}", f"{row.margin:.4f}"


def _time(since_seconds: float, start_seconds: float | None) -> str:
    """Return a time after the start as text, absolute if the start is known."""
    if start_seconds is None:
        return format_duration(int(since_seconds))
    moment = datetime.fromtimestamp(start_seconds + since_seconds, UTC)
    return moment.isoformat().replace("+00:00", "Z")


def _named(segment: Iterable[tuple[str, str]]) -> str:
    """Return a segment as text, such as ``device=mobile channel=email``."""
    return " ".join(f"{name}={value}" for name, value in segment) or "all"
