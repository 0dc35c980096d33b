"""The parts of the generator that ``clickstream bench`` measures one by one."""

from __future__ import annotations

from clickstream_generator.core.carried_shard import CarriedShard
from clickstream_generator.core.encoding import Encoded
from clickstream_generator.core.encodings import encoding_of
from clickstream_generator.core.events import Events
from clickstream_generator.core.faults import Record, plant_faults
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_requests import Requests
from clickstream_generator.core.form_rows import Form
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.simulator import Simulator
from clickstream_generator.shell.kafka_sink import KafkaSink, producer_settings
from clickstream_generator.shell.sink import Batch

__all__ = [
    "FORMS",
    "Batch",
    "CarriedShard",
    "Converter",
    "Encoded",
    "Events",
    "Form",
    "KafkaSink",
    "Record",
    "Requests",
    "Simulator",
    "encoding_of",
    "plant_faults",
    "producer_settings",
]
