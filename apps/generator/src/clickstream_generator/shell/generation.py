"""One run of ``clickstream generate``: its identity, its output and its end.

Owns the default id and start of a run, the checks of its options, and whether an existing folder
holds the requested run.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.behaviour import check_change
from clickstream_generator.core.file_forms import FORMS
from clickstream_generator.core.making import begin_run
from clickstream_generator.core.run_record import Layout, RunRecord
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import OutputFailed, OutputRefused, RecordUnusable
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.encoding_choice import EncodingChoice
from clickstream_generator.shell.folder_run import FolderRun
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.progress import RunProgress
from clickstream_generator.shell.run_folder import RunFolder
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides, read_simulation
from clickstream_generator.shell.stream_run import StreamRun
from clickstream_generator.shell.truth import LedgerTopic, Truth, TruthFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_contract.simulation import Simulation
    from rich.console import Console

    from clickstream_generator.shell.kafka_target import KafkaTarget
    from clickstream_generator.shell.output import Output
    from clickstream_generator.shell.sink import Sink

__all__ = ["Request", "generate"]

_PART_EVENTS = (1_000, 250_000)
"""Bounds of the events in a part, which is built in memory."""
_OPEN_EVENTS = 1_000_000
"""Most events in the open parts of all shards, unless the parts have the smallest size."""
_PACED_PART_SECONDS = 300
"""Duration of a part at the simulation's rate."""


@dataclass(frozen=True)
class Request:
    """The options of one run.

    Attributes:
        file: The simulation's file; ``None`` with a record.
        record_file: The record of a run to make again.
        overrides: The command line's changes to the simulation.
        output: The output for events.
        is_paced: Whether events are sent when they are due.
        start_seconds: When the live part starts, Unix seconds; computed if absent.
        run_id: The run's id; computed if absent.
        part_events: Number of a shard's events in one part of a folder; computed if absent.
        truth: Folder for record and ledger, if the output is not a folder.
        kafka: The topics, if the output is Kafka.
        is_appending: Whether a topic may already hold records.
        is_creating: Whether to create missing topics.
        encoding: The encoding of the records; JSON unless the output is Kafka.
    """

    file: Path | None
    record_file: Path | None
    overrides: Overrides
    output: Output
    is_paced: bool = False
    start_seconds: float | None = None
    run_id: UUID | None = None
    part_events: int | None = None
    truth: Path | None = None
    kafka: KafkaTarget | None = field(default=None, repr=False)
    is_appending: bool = False
    is_creating: bool = False
    encoding: EncodingChoice = field(default_factory=EncodingChoice)


def generate(request: Request, console: Console) -> None:
    """Make the events of a run.

    Args:
        request: The options.
        console: The console for messages; not standard output.

    Raises:
        GeneratorError: The output, the record or Kafka cannot be used.
        SimulationInvalid: The simulation or an option cannot be used.
    """
    again = None if request.record_file is None else _read_record(request.record_file)
    if again is not None:
        simulation = again.first
    else:
        assert request.file is not None  # noqa: S101  the command has checked it
        simulation = read_simulation(request.file, request.overrides)
    _check_request(request, again, simulation)
    if request.output.is_folder:
        _into_folder(request, again, simulation, console)
    else:
        _into_stream(request, again, simulation, console)


def _read_record(path: Path) -> RunRecord:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordUnusable(str(path), str(error), "give the path of a run record") from None
    return RunRecord.from_json(text, str(path))


def _check_request(request: Request, again: RunRecord | None, simulation: Simulation) -> None:
    """Raise an error for options that do not fit together.

    Raises:
        SimulationInvalid: Names the option.
    """
    output = str(request.output)
    spec = simulation.spec if again is None else again.running.spec
    has_end = spec.stop_after is not None or bool(again and again.ends_at)
    if not has_end and not request.is_paced and (request.output.place or request.output.is_kafka):
        allowed = "a run without an end needs --events, --for, spec.stopAfter or --paced"
        raise SimulationInvalid("--output", output, allowed)
    if request.output.is_folder and request.truth is not None:
        raise SimulationInvalid(
            "--truth",
            str(request.truth),
            "a folder already holds the run record and the ledger; leave the option out",
        )
    if request.part_events is not None and not request.output.is_folder:
        raise SimulationInvalid(
            "--part-events", request.part_events, "only a folder has parts; leave the option out"
        )
    if request.output.is_folder and FORMS[request.output.kind].has_columns:
        specs = [simulation.spec]
        if again is not None:
            specs += [row.simulation.spec for row in again.revisions]
        worst = max(spec.faults.corrupt_permille for spec in specs)
        if worst:
            raise SimulationInvalid(
                "spec.faults.corruptPermille",
                worst,
                f"it must be 0 with {output}: corrupt records have no columns; or use jsonl",
            )


def _into_folder(
    request: Request, again: RunRecord | None, simulation: Simulation, console: Console
) -> None:
    place = str(request.output)
    with RunFolder(Path(request.output.place), request.output.kind) as folder:
        kept = folder.record
        if kept is None:
            first = simulation if again is None else again.first
            layout = Layout(request.output.kind, _part_events(request, first))
            run_id, start = _identity(request, again, first)
            simulator = _simulator(first, run_id)
            record = replace(_new_record(simulator, start, again), layout=layout)
            snapshots = {}
        else:
            _check_is_same(request, again, simulation, kept, place)
            if kept.ended_at is not None:
                console.print(f"run {kept.run_id} in {place} has already ended; nothing to do")
                return
            simulator = _simulator(kept.first, kept.run_id)
            record, snapshots = kept, folder.snapshots()
        maker = begin_run(simulator, record, snapshots)
        with _stopping() as stop, _progress(request, simulator, console) as bar:
            run = FolderRun(
                maker,
                folder,
                record,
                Clock(),
                _edits(request),
                bar.show,
                is_paced=request.is_paced,
            )
            _timed(run, simulator, stop, console, place)


def _into_stream(
    request: Request, again: RunRecord | None, simulation: Simulation, console: Console
) -> None:
    first = simulation if again is None else again.first
    truths: list[Truth] = []
    if request.truth is not None:
        truths.append(TruthFolder(request.truth))
    sink: Sink
    if request.kafka is not None:
        created = request.kafka.create_missing() if request.is_creating else []
        if not request.is_appending:
            request.kafka.check_is_free(created)
        header = request.encoding.header()
        sink = kafka = request.kafka.sink()
        if request.kafka.ledger_topic is not None:
            truths.append(LedgerTopic(kafka, request.kafka.ledger_topic))
    else:
        header = b""
        sink = LineSink(sys.stdout.buffer)
    run_id, start = _identity(request, again, first)
    simulator = _simulator(first, run_id)
    record = _new_record(simulator, start, again)
    encoding = request.encoding.begin(simulator.encoder, header)
    maker = begin_run(simulator, record, encoding=encoding)
    with _stopping() as stop, _progress(request, simulator, console) as bar:
        run = StreamRun(
            maker,
            sink,
            truths,
            record,
            Clock(),
            _edits(request),
            bar.show,
            is_paced=request.is_paced,
        )
        try:
            _timed(run, simulator, stop, console, str(request.output))
        except BrokenPipeError:
            # The reader has closed the pipe.
            _discard_output()
            return
        except OutputFailed:
            _discard_output()
            raise
    if request.kafka is not None:
        sys.stdout.write(run.record.to_json() + "\n")


def _discard_output() -> None:
    """Discard buffered standard output, so that Python does not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _simulator(first: Simulation, run_id: UUID) -> Simulator:
    return Simulator(first, tuple(range(first.spec.shards)), run_id)


def _identity(request: Request, again: RunRecord | None, first: Simulation) -> tuple[UUID, float]:
    """Return the run's id, and when its live part starts.

    The same simulation with the same start gets the same run id.
    """
    if again is not None:
        return again.run_id, again.start_seconds
    start = request.start_seconds
    if start is None:
        start = float(int(time.time())) - (0 if request.is_paced else _length_seconds(first))
    if request.run_id is not None:
        return request.run_id, start
    endless = first.model_copy(update={"spec": first.spec.model_copy(update={"stop_after": None})})
    return uuid5(NAMESPACE_URL, f"{start!r} {dump_simulation(endless)}"), start


def _length_seconds(simulation: Simulation) -> int:
    """Return about how long the live part lasts, so that an unpaced run ends about now."""
    stop_after = simulation.spec.stop_after
    if stop_after is None or (stop_after.events is not None and simulation.spec.backfill):
        return 0
    if stop_after.events is not None:
        return int(stop_after.events / simulation.spec.rate.per_second)
    return int(stop_after.duration_seconds or 0)


def _new_record(simulator: Simulator, start: float, again: RunRecord | None) -> RunRecord:
    began_at = f"{np.datetime64(int(1000 * time.time()), 'ms')}Z"
    own_version = version("clickstream-generator")
    if again is not None:
        return replace(again, version=own_version, began_at=began_at, ended_at=None, layout=None)
    return RunRecord(
        simulator.run_id, simulator.first, start, simulator.fingerprint, own_version, began_at
    )


def _part_events(request: Request, simulation: Simulation) -> int:
    """Return the number of a shard's events in one part."""
    if request.part_events is not None:
        return request.part_events
    shards = simulation.spec.shards
    wanted = float(_OPEN_EVENTS)
    if request.is_paced:
        wanted = min(wanted, simulation.spec.rate.per_second * _PACED_PART_SECONDS)
    return int(np.clip(wanted / shards, *_PART_EVENTS))


def _check_is_same(
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
        ("files of the form", kept.layout.form, request.output.kind),
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


def _edits(request: Request) -> Edits | None:
    if not request.is_paced or request.file is None:
        return None
    return Edits(SimulationFile(request.file), request.overrides.applied)


def _progress(request: Request, simulator: Simulator, console: Console) -> RunProgress:
    # Event lines and a progress bar on one terminal would overwrite each other.
    has_lines = not request.output.place and not request.output.is_kafka
    is_shown = console.is_terminal and not (has_lines and sys.stdout.isatty())
    return RunProgress(console, simulator, is_shown=is_shown)


def _timed(
    run: FolderRun | StreamRun, simulator: Simulator, stop: Event, console: Console, place: str
) -> None:
    """Execute a run, and print its number of events and its speed."""
    began, before = time.monotonic(), _made(simulator)
    run.run(stop)
    seconds, made = time.monotonic() - began, _made(simulator) - before
    console.print(
        f"{_made(simulator):,} events of run {simulator.run_id} in {place},"
        f" {made / max(seconds, 1e-3):,.0f} events/s"
    )


def _made(simulator: Simulator) -> int:
    return sum(shard.made for shard in simulator.shards.values())


@contextmanager
def _stopping() -> Iterator[Event]:
    """End the run gracefully at the first signal, at once at the second."""
    stop = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def asked(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in before:
        signal.signal(number, asked)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
