"""A sink that converts: other values, the same keys and figures."""

from __future__ import annotations

import io

from clickstream_generator.shell.formed_sink import FormedSink
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.sink import Batch


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
