"""Whether an existing folder holds the requested run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_generator.core.behaviour import check_change
from clickstream_generator.errors import OutputRefused

if TYPE_CHECKING:
    from clickstream_contract.simulation import Simulation

    from clickstream_generator.core.run_record import RunRecord
    from clickstream_generator.shell.generation import Request

__all__ = ["check_is_same"]


def check_is_same(
    request: Request,
    again: RunRecord | None,
    simulation: Simulation,
    kept: RunRecord,
    place: str,
) -> None:
    """Raise an error if the folder holds another run.

    Raises:
        OutputRefused: Names the difference.
    """
    assert kept.layout is not None  # noqa: S101  a folder's record has a layout
    other = "choose an empty folder or a new one"
    wanted: list[tuple[str, Any, Any]] = [
        ("files of the format", kept.layout.format, request.output.kind),
        ("records in the form", kept.layout.record_form, request.form_of(simulation).key),
        ("the run", kept.run_id, again.run_id if again else request.run_id),
        (
            "a start at Unix second",
            kept.start_seconds,
            again.start_seconds if again else request.start_seconds,
        ),
        ("--part-events", kept.layout.part_events, request.part_events),
    ]
    for what, found, asked in wanted:
        if asked is not None and found != asked:
            raise OutputRefused(place, f"holds {what} {found}, not {asked}", other)
    products = request.products if again is None else again.products
    if kept.products != products:
        raise OutputRefused(place, f"holds run {kept.run_id} with another catalog", other)
    if again is not None:
        if kept.revisions != again.revisions or kept.first != again.first:
            raise OutputRefused(place, f"holds run {kept.run_id} with other revisions", other)
        return
    running = kept.running.spec
    if simulation.spec == running:
        return
    if request.is_paced:
        check_change(kept.first, simulation)
        return
    names = [
        f"spec.{row.alias}"
        for name, row in type(running).model_fields.items()
        if getattr(running, name) != getattr(simulation.spec, name)
    ]
    raise OutputRefused(
        place,
        f"holds run {kept.run_id}, which differs in {', '.join(names)}",
        f"{other}, or restore the simulation",
    )
