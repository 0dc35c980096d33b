"""The parts of the generator that ``clickstream bench`` measures one by one."""

from __future__ import annotations

from clickstream_generator.core.faults import FaultPlanter, Record
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.shell.kafka_sink import KafkaSink, producer_settings
from clickstream_generator.shell.sink import Batch

__all__ = ["Batch", "FaultPlanter", "KafkaSink", "Record", "Simulator", "producer_settings"]
