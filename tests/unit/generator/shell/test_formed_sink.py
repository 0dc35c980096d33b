"""Sinks that convert: other values, the same keys and figures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.settings import Settings
from clickstream_generator.shell.formed_sink import FormedSink, kafka_sink
from clickstream_generator.shell.kafka_sink import KafkaSink
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.sink import Batch
from form_events import native_records

if TYPE_CHECKING:
    from clickstream_generator.core.form_rows import Form


def test_values_are_converted() -> None:
    """The inner sink gets converted values with the same batch, and answers for the rest."""
    stream = io.BytesIO()
    sink = FormedSink(LineSink(stream), lambda value: b"<" + (value or b"none") + b">")
    batch = Batch(tally={})
    sink.send([(b"a", b"k"), (None, b"k")], batch)

    assert stream.getvalue() == b"<a>\n<none>\n"
    assert (sink.has_room(1), sink.in_flight(), sink.is_idle()) == (True, 0, False)
    assert sink.tallies() == [{}]
    assert sink.poll(0) == [batch]
    assert sink.is_idle()


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: form.name)
def test_kafka_gets_the_form(form: Form, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of another form leaves converted; CloudEvents' attributes are headers."""
    value = native_records()[0]
    sent: list[tuple[bytes | None, bytes]] = []
    monkeypatch.setattr(KafkaSink, "send", lambda _, records, __: sent.extend(records))

    sink = kafka_sink(
        Settings(simulation_file=Path(__file__), bootstrap_servers="127.0.0.1:9"), "shop", form
    )
    sink.send([(value, b"k")], Batch())

    has_headers = sink._headers is not None
    assert has_headers == (form.name == "cloudevents")
    assert sent == [(value if has_headers else Converter(form).convert(value), b"k")]
