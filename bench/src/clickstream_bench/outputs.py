"""The speed of the outputs, encodings and forms of ``clickstream generate``.

Each output gets the same events from a separate process, as fast as possible, with ledger and
record; Kafka is the reference.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from clickstream_contract.document import dump_simulation

from clickstream_bench.broker import fresh_broker
from clickstream_bench.encodings import measure_encodings
from clickstream_bench.forms import measure_forms
from clickstream_bench.shop import shop

__all__ = ["measure_outputs"]

_RATE = {"eventsPerSecond": 2_000}
_FILES = ("jsonl", "csv", "parquet")
_SPEED = re.compile(r"([\d,]+) events/s")


def measure_outputs(events: int) -> dict[str, float]:
    """Return seconds to the first event, and the speed of each output, encoding and form.

    An output's speed is also relative to Kafka, an encoding's time to JSON, a form's speed to
    native.

    Args:
        events: Number of events for each output.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as name:
        folder = Path(name)
        file = folder / "simulation.yaml"
        file.write_text(dump_simulation(shop(rate=_RATE)), encoding="utf-8")
        command = [sys.executable, "-m", "clickstream_generator.command", str(file)]
        first = _first_seconds(command)
        counted = [*command, "--events", str(events)]
        with fresh_broker() as servers:
            kafka = _speed([*counted, "--output", f"kafka:{servers}"])
        found = {"stdout": _speed([*counted, "--truth", str(folder / "truth")])}
        sizes = {}
        for form in _FILES:
            target = folder / form
            found[form] = _speed([*counted, "--output", f"{form}:{target}"])
            size = sum(path.stat().st_size for path in target.glob("events/*/*"))
            sizes[f"{form}_bytes_per_event"] = size / events
    return {
        "seconds_to_first_event": first,
        "kafka_events_per_second": kafka,
        **{f"{name}_events_per_second": speed for name, speed in found.items()},
        **{f"{name}_to_kafka": speed / kafka for name, speed in found.items()},
        **sizes,
        **measure_encodings(events),
        **measure_forms(events),
    }


def _first_seconds(command: list[str]) -> float:
    """Return the seconds from the start of the process to its first line."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None  # noqa: S101  it is a pipe
        process.stdout.readline()
        seconds = time.perf_counter() - began
        process.kill()
    return seconds


def _speed(command: list[str]) -> float:
    """Return the speed that a run reports, without its start."""
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True
    )
    found = _SPEED.findall(done.stderr)
    return float(found[-1].replace(",", ""))
