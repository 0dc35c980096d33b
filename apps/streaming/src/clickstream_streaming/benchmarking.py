"""The parts of the stream that ``clickstream bench`` measures one by one."""

from __future__ import annotations

from clickstream_streaming.core.validation.batch import validate
from clickstream_streaming.shell.batch import BatchTask, Outcome
from clickstream_streaming.shell.batch_finalizer import BatchFinalizer
from clickstream_streaming.shell.job import spark_session
from clickstream_streaming.shell.partition import write_partition
from clickstream_streaming.shell.telemetry import Telemetry

__all__ = [
    "BatchFinalizer",
    "BatchTask",
    "Outcome",
    "Telemetry",
    "spark_session",
    "validate",
    "write_partition",
]
