"""The HTTP sink: retries with the same body, order, back-pressure, and refusals."""

from __future__ import annotations

import ssl
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_generator.core.form_requests import Requests
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.errors import ReceiverRefused
from clickstream_generator.shell import http_sink
from clickstream_generator.shell.http_sink import HttpSink
from clickstream_generator.shell.http_target import http_target
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clickstream_generator.core.faults import Record

    Answer = Callable[[httpx.Request], httpx.Response]
    Build = Callable[..., HttpSink]

RECORDS: list[Record] = [(b'{"n":%d}' % number, b"") for number in range(7)]


@pytest.fixture
def said() -> list[str]:
    """Return the list of notices."""
    return []


@pytest.fixture
def build(said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Return a function that builds a sink of two records per request, without long pauses."""
    monkeypatch.setattr(http_sink, "_FIRST_PAUSE_SECONDS", 0.0)
    sinks: list[HttpSink] = []

    def made(answer: Answer, in_flight: int = 2, most: int = 2) -> HttpSink:
        client = httpx.Client(transport=httpx.MockTransport(answer))
        requests = Requests(FORMS["native"], most)
        sinks.append(
            HttpSink(
                client, "http://r/x?key=s3", "http://r/x", requests, in_flight, said.append, ("s3",)
            )
        )
        return sinks[-1]

    yield made
    for sink in sinks:
        sink.close()


def _wait(sink: HttpSink, count: int = 1) -> list[Batch]:
    found: list[Batch] = []
    while len(found) < count:
        found += sink.poll(5.0)
    return found


@pytest.mark.parametrize("failure", [429, 503, 408, httpx.ReadTimeout, httpx.ConnectError])
def test_same_body_is_sent_again(
    build: Build, said: list[str], failure: int | type[httpx.TransportError]
) -> None:
    """After a failure the same body comes again; each record is acknowledged once."""
    bodies: list[bytes] = []
    lock = threading.Lock()

    def answer(request: httpx.Request) -> httpx.Response:
        with lock:
            bodies.append(request.content)
            is_first = bodies.count(request.content) == 1
        if not is_first:
            return httpx.Response(200)
        if isinstance(failure, int):
            return httpx.Response(failure, headers={"retry-after": "0"})
        raise failure("s3 is away")

    sink, batch = build(answer), Batch()
    sink.send(RECORDS, batch)
    assert _wait(sink) == [batch]

    assert sorted(bodies) == sorted(2 * list(dict.fromkeys(bodies)))
    assert b"".join(sorted(set(bodies))).splitlines() == [value for value, _ in RECORDS]
    assert (sink.is_idle(), sink.in_flight(), sink.tallies()) == (True, 0, [])
    assert said[0].startswith("http://r/x: ")
    assert not any("s3" in text for text in said)


def test_batches_come_back_in_order(build: Build) -> None:
    """A batch that is acknowledged early waits for the ones before it."""
    first_may_go = threading.Event()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.content == b"first\n":
            first_may_go.wait(5.0)
        return httpx.Response(200)

    sink = build(answer)
    batches = [Batch(tally={(0, 0): None}), Batch()]  # type: ignore[dict-item]
    sink.send([(b"first", b"")], batches[0])
    sink.send([(b"second", b"")], batches[1])
    while sink.in_flight() > 1:
        assert sink.poll(0.001) == []
    assert len(sink.tallies()) == 2
    first_may_go.set()
    assert _wait(sink, 2) == batches


def test_full_sink_has_no_room(build: Build) -> None:
    """A sink has room while fewer requests are open than it may send at a time."""
    may_go = threading.Event()

    def answer(_request: httpx.Request) -> httpx.Response:
        may_go.wait(5.0)
        return httpx.Response(200)

    sink = build(answer)
    assert sink.has_room(20_000)
    sink.send(RECORDS[:2], Batch())
    assert sink.has_room(20_000)
    sink.send(RECORDS, Batch())
    assert not sink.has_room(1)
    may_go.set()
    _wait(sink, 2)
    assert sink.has_room(1)


@pytest.mark.parametrize(
    ("status", "setting"),
    [
        (400, "the address and the form"),
        (401, "--http-headers and --http-query"),
        (301, "the addr"),
        (413, "set a smaller --http-batch"),
    ],
)
def test_refusal_is_named(build: Build, status: int, setting: str) -> None:
    """Another 4xx ends the run with the status and the start of the answer, without secrets."""
    sink = build(lambda _request: httpx.Response(status, text="no s3\n" + 500 * "x"))
    sink.send(RECORDS, Batch())
    with pytest.raises(ReceiverRefused) as refused:
        _wait(sink)
    text = str(refused.value)
    assert text.startswith(f"http://r/x refuses records: HTTP {status} 'no *** x")
    assert setting in text
    assert len(text) < 350
    with pytest.raises(ReceiverRefused):
        sink.send(RECORDS, Batch())


@pytest.mark.parametrize("failure", ["endless", "cut"])
def test_status_acknowledges(build: Build, failure: str) -> None:
    """A 2xx acknowledges a request, although its body has no end or is cut off."""

    def body() -> Iterator[bytes]:
        yield b"x"
        if failure == "cut":
            raise httpx.ReadError("closed")
        while True:
            yield bytes(10_000)

    sink, batch = build(lambda _request: httpx.Response(200, content=body())), Batch()
    sink.send(RECORDS, batch)
    assert _wait(sink) == [batch]


def test_slow_body_is_left(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body is read for some seconds only."""
    monkeypatch.setattr(http_sink, "_READ_SECONDS", -1.0)
    parts = iter([b"a", b"b"])
    sink = build(lambda _request: httpx.Response(200, content=parts), 1, 9)
    sink.send(RECORDS, Batch())
    _wait(sink)
    assert next(parts) == b"b"


def test_redirect_is_not_followed() -> None:
    """A redirect gets no second request, which would carry the headers to another host."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(307, headers={"location": "http://other.test/"})

    sink = http_target("http://shop.test/").sink(
        FORMS["native"], lambda _: None, httpx.MockTransport(answer)
    )
    sink.send(RECORDS, Batch())
    with pytest.raises(ReceiverRefused, match="HTTP 307"):
        _wait(sink)
    sink.close()
    assert seen == ["http://shop.test/"]


def test_parts_of_secrets_are_hidden() -> None:
    """An echo of a token without its scheme is hidden; an empty value hides nothing."""
    client = httpx.Client(
        transport=httpx.MockTransport(lambda _: httpx.Response(400, text="to-ken-7"))
    )
    hidden = ("Bearer to-ken-7", "")
    sink = HttpSink(client, "http://r/", "http://r/", Requests(FORMS["native"]), 1, print, hidden)
    sink.send(RECORDS, Batch())
    with pytest.raises(ReceiverRefused, match=r"HTTP 400 '\*\*\*'"):
        _wait(sink)
    sink.close()


def test_broken_record_may_be_refused(build: Build) -> None:
    """A receiver's 400 to a record that was broken on purpose acknowledges it."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400 if request.content == b"<html>" else 200)

    sink = build(answer)
    batch = Batch(broken=frozenset({1}))
    sink.send([RECORDS[0], (b"<html>", b""), RECORDS[1]], batch)
    assert _wait(sink) == [batch]


def test_wrong_certificate_is_named(build: Build) -> None:
    """A certificate that cannot be verified ends the run; no retry helps."""

    def answer(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("tls") from ssl.SSLCertVerificationError("unknown issuer")

    sink = build(answer)
    sink.send(RECORDS, Batch())
    with pytest.raises(ReceiverRefused, match="check --ca-file"):
        _wait(sink)


def test_closing_ends_retries(build: Build) -> None:
    """A closed sink sends nothing again."""
    sink = build(lambda _request: httpx.Response(503, headers={"retry-after": "500"}))
    sink.send(RECORDS, Batch())
    sink.close()
    assert not any(worker.is_alive() for worker in sink._workers)
    assert not sink.is_idle()


def test_empty_batch_is_acknowledged(build: Build) -> None:
    """A batch without records needs no request."""
    sink, batch = build(lambda _request: httpx.Response(500)), Batch()
    sink.send([], batch)
    assert sink.poll(0.0) == [batch]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("7", 7.0),
        ("999999", 600.0),
        (400 * "9", 600.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 600.0),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", 0.0),
        ("soon", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read(header: str, seconds: float) -> None:
    """Seconds and dates are read; a date in the past is now, and the longest is ten minutes."""
    assert http_sink._retry_after_seconds(httpx.Headers({"retry-after": header})) == seconds


def test_retry_after_may_be_a_date() -> None:
    """A date in the future is waited for."""
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 90 < http_sink._retry_after_seconds(httpx.Headers({"retry-after": moment})) < 101
