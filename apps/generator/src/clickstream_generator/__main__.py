"""The generator's process: settings from the environment, one run, then the end.

Owns exit codes and signals. It does not know anything else.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from uuid import uuid4

from clickstream_contract.document import parse_simulation
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.topics import EVENTS

from clickstream_generator.core.simulator import Simulator
from clickstream_generator.errors import GeneratorError, SettingsInvalid
from clickstream_generator.settings import Settings, settings_from
from clickstream_generator.shell.kafka_sink import KafkaSink
from clickstream_generator.shell.telemetry import Telemetry
from clickstream_generator.shell.worker import Clock, Worker

__all__ = ["main"]


def main() -> int:
    """Run the generator and return the process's exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        _run(settings_from(os.environ))
    except (SettingsInvalid, SimulationInvalid) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (GeneratorError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def _run(settings: Settings) -> None:
    """Run one simulation to its end."""
    simulation = parse_simulation(settings.simulation_file.read_text(encoding="utf-8"))
    run_id = settings.run_id or uuid4()
    clock = Clock()
    numbers = settings.shards or tuple(range(simulation.spec.shards))
    if max(numbers) >= simulation.spec.shards:
        raise SettingsInvalid(
            "CLICKSTREAM_GENERATOR_SHARDS",
            ",".join(map(str, numbers)),
            f"numbers below the simulation's spec.shards, {simulation.spec.shards}",
        )
    with Telemetry(settings.metrics_host, settings.metrics_port) as telemetry:
        simulator = Simulator(simulation, numbers, run_id)
        simulator.begin(clock.now())
        worker = Worker(
            simulation,
            run_id,
            simulator,
            KafkaSink(settings, EVENTS.name),
            telemetry,
            clock,
            settings.drain_seconds,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()


if __name__ == "__main__":
    sys.exit(main())
