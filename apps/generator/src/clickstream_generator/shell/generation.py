"""One run of ``clickstream generate``: its identity, its output and its end.

Owns the default id and start of a run, and the checks of its options.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
from clickstream_contract.document import dump_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Encoding

from clickstream_generator.core.file_formats import FILE_FORMATS
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_tables import FORMS, NATIVE
from clickstream_generator.core.making import begin_run
from clickstream_generator.core.own_catalog import catalog_of, products_to_json
from clickstream_generator.core.run_record import Layout, RunRecord
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import OutputFailed, RecordUnusable
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.edits import Edits
from clickstream_generator.shell.encoding_choice import EncodingChoice, EncodingOptions
from clickstream_generator.shell.folder_run import FolderRun
from clickstream_generator.shell.progress import RunProgress
from clickstream_generator.shell.run_folder import RunFolder
from clickstream_generator.shell.same_run import check_is_same
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.simulation_source import Overrides, read_simulation
from clickstream_generator.shell.stopping import stopping
from clickstream_generator.shell.stream_run import StreamRun
from clickstream_generator.shell.stream_sink import stream_sink
from clickstream_generator.shell.truth import Truth, TruthFolder

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from clickstream_contract.simulation import Simulation
    from rich.console import Console

    from clickstream_generator.core.encoding import Encoder
    from clickstream_generator.core.encodings import Encoding as RunEncoding
    from clickstream_generator.core.form_rows import Form
    from clickstream_generator.core.own_catalog import Product
    from clickstream_generator.shell.http_target import HttpTarget
    from clickstream_generator.shell.kafka_target import KafkaOptions
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
        kafka: The options for Kafka, if the output is Kafka.
        is_appending: Whether a topic may already hold records.
        is_creating: Whether to create missing topics.
        form: The form of the records; the simulation's if absent.
        http: The receiver, if the output is HTTP.
        products: The shop's own products; empty for those of the simulation.
        encoding: The options for the encoding; without them the simulation's, if the output is
            Kafka.
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
    kafka: KafkaOptions | None = field(default=None, repr=False)
    is_appending: bool = False
    is_creating: bool = False
    form: Form | None = None
    http: HttpTarget | None = field(default=None, repr=False)
    products: tuple[Product, ...] = field(default=(), repr=False)
    encoding: EncodingOptions | None = None

    def form_of(self, simulation: Simulation) -> Form:
        """Return the form of a simulation's records."""
        return self.form or FORMS[simulation.spec.event_output.form]

    def encoding_of(self, simulation: Simulation) -> EncodingChoice:
        """Return the encoding of a simulation's records; JSON unless the output is Kafka."""
        if not self.output.is_kafka:
            return EncodingChoice()
        options = self.encoding or EncodingOptions()
        return options.choice(simulation.spec.event_output)


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
    form, encoding = request.form_of(simulation), request.encoding_of(simulation)
    if form is not NATIVE and encoding.name != Encoding.JSON:
        raise SimulationInvalid(
            "--encoding", encoding.name, f"it must be {Encoding.JSON} with the form {form.name}"
        )
    if request.output.is_folder and FILE_FORMATS[request.output.kind].has_columns:
        if form is not NATIVE:
            raise SimulationInvalid(
                "--form",
                form.name,
                f"it must be {NATIVE.name} with {output}, whose columns are those of the event; "
                "or use jsonl",
            )
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
    form = request.form_of(simulation)
    convert = None if form is NATIVE else Converter(form).convert
    with RunFolder(Path(request.output.place), request.output.kind, convert) as folder:
        kept = folder.record
        if kept is None:
            first = simulation if again is None else again.first
            layout = Layout(request.output.kind, _part_events(request, first), form.key)
            run_id, start = _identity(request, again, first)
            simulator = _simulator(first, run_id, _products(request, again))
            record = replace(_new_record(simulator, start, request, again), layout=layout)
            snapshots = {}
        else:
            check_is_same(request, again, simulation, kept, place)
            if kept.ended_at is not None:
                console.print(f"run {kept.run_id} in {place} has already ended; nothing to do")
                return
            simulator = _simulator(kept.first, kept.run_id, kept.products)
            record, snapshots = kept, folder.snapshots()
        maker = begin_run(simulator, record, snapshots)
        with stopping() as stop, _progress(request, simulator, console) as bar:
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
    kafka = None if request.kafka is None else request.kafka.target(first.spec.event_output)
    form = request.form_of(first)
    encoding = request.encoding_of(first)
    with stream_sink(request, form, kafka, truths, console) as sink:
        # After the checks of the topics, so that a refused run registers nothing.
        header = b"" if kafka is None else encoding.header(kafka.topic)
        begin = partial(encoding.begin, header=header)
        _stream(request, again, first, sink, truths, console, begin)


def _stream(
    request: Request,
    again: RunRecord | None,
    first: Simulation,
    sink: Sink,
    truths: list[Truth],
    console: Console,
    begin: Callable[[Encoder], RunEncoding],
) -> None:
    run_id, start = _identity(request, again, first)
    simulator = _simulator(first, run_id, _products(request, again))
    record = _new_record(simulator, start, request, again)
    maker = begin_run(simulator, record, encoding=begin(simulator.encoder))
    with stopping() as stop, _progress(request, simulator, console) as bar:
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


def _products(request: Request, again: RunRecord | None) -> tuple[Product, ...]:
    return request.products if again is None else again.products


def _simulator(first: Simulation, run_id: UUID, products: tuple[Product, ...]) -> Simulator:
    catalog = catalog_of(products, first.spec.catalog, first.spec.seed) if products else None
    return Simulator(first, tuple(range(first.spec.shards)), run_id, catalog)


def _identity(request: Request, again: RunRecord | None, first: Simulation) -> tuple[UUID, float]:
    """Return the run's id, and when its live part starts.

    The same simulation with the same start and catalog gets the same run id.
    """
    if again is not None:
        return again.run_id, again.start_seconds
    start = request.start_seconds
    if start is None:
        start = float(int(time.time())) - (0 if request.is_paced else _length_seconds(first))
    if request.run_id is not None:
        return request.run_id, start
    endless = first.model_copy(update={"spec": first.spec.model_copy(update={"stop_after": None})})
    own = f" {products_to_json(request.products)}" if request.products else ""
    return uuid5(NAMESPACE_URL, f"{start!r} {dump_simulation(endless)}{own}"), start


def _length_seconds(simulation: Simulation) -> int:
    """Return about how long the live part lasts, so that an unpaced run ends about now."""
    stop_after = simulation.spec.stop_after
    if stop_after is None or (stop_after.events is not None and simulation.spec.backfill):
        return 0
    if stop_after.events is not None:
        return int(stop_after.events / simulation.spec.rate.per_second)
    return int(stop_after.duration_seconds or 0)


def _new_record(
    simulator: Simulator, start: float, request: Request, again: RunRecord | None
) -> RunRecord:
    began_at = f"{np.datetime64(int(1000 * time.time()), 'ms')}Z"
    own_version = version("clickstream-generator")
    if again is not None:
        return replace(again, version=own_version, began_at=began_at, ended_at=None, layout=None)
    return RunRecord(
        simulator.run_id,
        simulator.first,
        start,
        simulator.fingerprint,
        own_version,
        began_at,
        products=request.products,
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
