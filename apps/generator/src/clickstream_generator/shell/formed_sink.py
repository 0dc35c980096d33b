"""Sinks that convert records into a form before they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_requests import AttributeHeaders
from clickstream_generator.core.form_tables import NATIVE
from clickstream_generator.shell.kafka_sink import KafkaSink

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.form_rows import Form
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.settings import KafkaSettings
    from clickstream_generator.shell.sink import Batch, Sink

__all__ = ["FormedSink", "kafka_sink"]


def kafka_sink(
    settings: KafkaSettings, topic: str, form: Form, client: Mapping[str, str] | None = None
) -> KafkaSink:
    """Return a Kafka sink that takes native records, and sends them in a form.

    Args:
        settings: The connection settings.
        topic: The topic.
        form: The form.
        client: Further client settings, by librdkafka's names.
    """
    if form is NATIVE:
        return KafkaSink(settings, topic, client)
    if form.post.is_headers:
        # CloudEvents' binary mode: the attributes are headers, and the value stays the event.
        return KafkaSink(settings, topic, client, AttributeHeaders(form, "ce_").of)
    return _FormedKafkaSink(settings, topic, form, client)


class _FormedKafkaSink(KafkaSink):
    """A Kafka sink that converts the records of its topic."""

    def __init__(
        self, settings: KafkaSettings, topic: str, form: Form, client: Mapping[str, str] | None
    ) -> None:
        super().__init__(settings, topic, client)
        self._convert = Converter(form).convert

    def send(self, records: list[Record], batch: Batch) -> None:
        """Convert records, and queue them; they leave in this order."""
        super().send([(self._convert(value), key) for value, key in records], batch)


class FormedSink:
    """A sink for records of another form; figures and keys stay those of the events.

    Args:
        sink: The sink that takes the converted records.
        convert: Returns a native record in the form.
    """

    def __init__(self, sink: Sink, convert: Callable[[bytes | None], bytes | None]) -> None:
        self._sink = sink
        self._convert = convert

    def has_room(self, records: int) -> bool:
        """Return whether this many records may be sent now."""
        return self._sink.has_room(records)

    def send(self, records: list[Record], batch: Batch) -> None:
        """Convert records, and send them."""
        self._sink.send([(self._convert(value), key) for value, key in records], batch)

    def poll(self, seconds: float) -> list[Batch]:
        """Return acknowledged batches in order; wait up to ``seconds`` if there are none."""
        return self._sink.poll(seconds)

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged and returned."""
        return self._sink.is_idle()

    def in_flight(self) -> int:
        """Return the number of records in flight."""
        return self._sink.in_flight()

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not returned yet."""
        return self._sink.tallies()
