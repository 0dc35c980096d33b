"""The generator's process: reads settings from the environment and runs one simulation.

Owns the exit code of each error, and the signals.
"""

from __future__ import annotations

import faulthandler
import gc
import logging
import math
import os
import signal
import sys
from threading import Event
from typing import TYPE_CHECKING
from uuid import uuid4

from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.worker_exit import WorkerExit
from clickstream_health.server import HealthServer

from clickstream_generator.core.encodings import encoding_of
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.making import Maker
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import (
    BrokerRefused,
    BrokersLost,
    GeneratorError,
    RegistryRefused,
    ShardTaken,
    WorldChanged,
)
from clickstream_generator.settings import PREFIX, Settings, settings_from
from clickstream_generator.shell.claiming import claim_shards
from clickstream_generator.shell.clock import Clock
from clickstream_generator.shell.encoding_choice import worker_encoding
from clickstream_generator.shell.formed_sink import kafka_sink
from clickstream_generator.shell.simulation_file import SimulationFile
from clickstream_generator.shell.telemetry import Telemetry
from clickstream_generator.shell.topic_reader import TopicReader
from clickstream_generator.shell.worker import Worker

if TYPE_CHECKING:
    from uuid import UUID

    from clickstream_generator.shell.claiming import Hold
    from clickstream_generator.shell.kafka_sink import KafkaSink

__all__ = ["main"]

_LOG = logging.getLogger(__name__)
_DAY_SECONDS = 86_400


def main() -> int:
    """Run the generator and return the process's exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        _run(settings_from(os.environ))
    except (GeneratorError, SettingsInvalid, SimulationInvalid, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return _exit_code(error)
    return WorkerExit.DONE


def _exit_code(error: Exception) -> WorkerExit:
    match error:
        case SettingsInvalid() | SimulationInvalid():
            return WorkerExit.MISCONFIGURED
        case BrokerRefused():
            return WorkerExit.BROKER_REFUSED
        case ShardTaken():
            return WorkerExit.SHARDS_TAKEN
        case WorldChanged():
            return WorkerExit.WORLD_CHANGED
        case RegistryRefused():
            return WorkerExit.REGISTRY_REFUSED
        case _:
            return WorkerExit.FAILED


def _run(settings: Settings) -> None:
    """Run or resume one simulation until its end.

    If a Kafka client has lost all brokers, a fresh process takes this one's place and resumes.
    """
    file = SimulationFile(settings.simulation_file)
    run_id = settings.run_id or uuid4()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    numbers = settings.shards or tuple(range(file.simulation.spec.shards))
    if max(numbers) >= file.simulation.spec.shards:
        raise SettingsInvalid(
            "CLICKSTREAM_GENERATOR_SHARDS",
            ",".join(map(str, numbers)),
            f"numbers below the simulation's spec.shards, {file.simulation.spec.shards}",
        )
    try:
        _run_shards(settings, file, run_id, numbers, stop)
    except BrokersLost as error:
        if stop.is_set():
            raise
        _LOG.warning("%s: a fresh process takes over", error)
        named = {**os.environ, f"{PREFIX}RUN_ID": str(run_id)}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], named)  # noqa: S606  no shell is wanted


def _run_shards(
    settings: Settings,
    file: SimulationFile,
    run_id: UUID,
    numbers: tuple[int, ...],
    stop: Event,
) -> None:
    """Claim shards, and run those that are not over."""
    clock = Clock()
    output = file.simulation.spec.event_output
    encoding = worker_encoding(output, settings)
    telemetry = Telemetry()
    server = HealthServer(
        settings.metrics_host, settings.metrics_port, telemetry.registry, telemetry.readiness
    )
    with server.in_thread(), TopicReader(settings) as reader:
        # After the reader is connected: if the broker refuses the user, only one client reports it.
        sink = kafka_sink(settings, output.topic, FORMS[output.form])
        sink.check_topics(output.topic, output.ledger_topic)
        # Before the shards are claimed: a worker that cannot send takes them from no other.
        header = encoding.header(output.topic)
        telemetry.simulation.labels(file.simulation.full_name).set(1)
        telemetry.queue_limit.set(settings.queue_records)
        kept_seconds = settings.state_retention_days * _DAY_SECONDS or math.inf
        forget_before = clock.now() - kept_seconds
        shards = file.simulation.spec.shards
        hold = claim_shards(reader, sink, run_id, numbers, shards, forget_before)
        if hold.epochs:
            _carry(settings, file, hold, sink, clock, telemetry, stop, header)
        else:
            _LOG.info("run %s has already ended", run_id)
            telemetry.shards_over.set(len(numbers))
            telemetry.delivered.set(sum(row.position.records for row in hold.stored.values()))
        if settings.on_end == "wait":
            telemetry.is_ready = True
            stop.wait()


def _carry(
    settings: Settings,
    file: SimulationFile,
    hold: Hold,
    sink: KafkaSink,
    clock: Clock,
    telemetry: Telemetry,
    stop: Event,
    header: bytes,
) -> None:
    """Run the shards that are not over, until their end or until ``stop`` is set."""
    snapshots = {
        number: found.snapshot
        for number, found in hold.stored.items()
        if found.snapshot is not None
    }
    first = next((row.first for row in snapshots.values()), file.simulation)
    if first.spec.event_output != file.simulation.spec.event_output:
        raise SimulationInvalid(
            "spec.output",
            file.simulation.spec.event_output.topic,
            f"it cannot change in a run, which sends to {first.spec.event_output.topic}; start "
            "another simulation",
        )
    with hold.heartbeats(sink):
        simulator = Simulator(first, tuple(hold.epochs), hold.run_id)
        carried = simulator.begin(settings.start_time or clock.now(), snapshots)
        encoding = encoding_of(first.spec.event_output.encoding, simulator.encoder, header)
        maker = Maker(simulator, carried, encoding)
        worker = Worker(hold, maker, sink, telemetry, clock, file, settings)
        worker.resume()
        # Exclude the long-lived objects from garbage collection, which would delay events.
        gc.collect()
        gc.freeze()
    if not stop.is_set() or settings.on_stop == "end":
        try:
            worker.run(stop)
        except ShardTaken:
            sink.drop()
            raise


if __name__ == "__main__":
    # A crash in a library, or SIGABRT, writes the stack of every thread into the log.
    faulthandler.enable()
    sys.exit(main())
