"""Lines: one record each, acknowledged once the stream has them."""

from __future__ import annotations

import errno
import io

import pytest
from clickstream_generator.errors import OutputFailed
from clickstream_generator.shell.line_sink import LineSink
from clickstream_generator.shell.sink import Batch


def test_records_are_lines() -> None:
    """Each record is a line; one without a value is an empty one."""
    stream = io.BytesIO()
    sink = LineSink(stream)

    sink.send([(b"a", b""), (None, b""), (b"b", b"")], Batch())
    sink.send([], Batch())
    sink.send([(b"c", b"")], Batch())
    assert stream.getvalue() == b"a\n\nb\nc\n"


def test_batches_come_back_in_order() -> None:
    """Written batches are returned once and in order; then the sink is idle."""
    sink = LineSink(io.BytesIO())
    batches = [Batch(tally={}), Batch(events=1)]
    for batch in batches:
        sink.send([(b"a", b"")], batch)

    assert not sink.is_idle()
    assert sink.tallies() == [{}, {}]
    assert sink.poll(0) == batches
    assert sink.poll(0.001) == []
    assert sink.is_idle()
    assert (sink.in_flight(), sink.has_room(10**9)) == (0, True)


@pytest.mark.parametrize(
    ("cause", "error", "says"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            OutputFailed,
            (
                "cannot write standard output: No space left on device;"
                " free some space, and start again"
            ),
        ),
        (BrokenPipeError(), BrokenPipeError, ""),
    ],
)
def test_stream_that_fails_is_named(cause: OSError, error: type[Exception], says: str) -> None:
    """A full disk behind the stream is named; a reader that has gone stays what it is."""

    class _Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise cause

    with pytest.raises(error) as raised:
        LineSink(_Full()).send([(b"a", b"")], Batch())
    assert str(raised.value) == says
