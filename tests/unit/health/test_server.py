"""The server of metrics and health: its answers, its limits, its end."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_health import server as module
from clickstream_health.registry import MetricRegistry
from clickstream_health.server import HealthServer
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickstream_health.server import Check

_LOOPBACK = "127.0.0.1"


@contextmanager
def _served(
    readiness: Check = str, liveness: Check = str, hosts: tuple[str, ...] = ()
) -> Iterator[str]:
    """Serve at a free port; return the address."""
    server = HealthServer(_LOOPBACK, 0, MetricRegistry("console"), readiness, liveness, hosts)
    with server.in_thread():
        yield f"http://{_LOOPBACK}:{server.port}"


def _get(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    return httpx.request(method, url, headers=headers, timeout=10, trust_env=False)


def _sent(url: str, data: bytes, source: str = _LOOPBACK) -> socket.socket:
    """Return a connection that has sent the data."""
    connection = socket.create_connection((_LOOPBACK, httpx.URL(url).port or 0), 10, (source, 0))
    connection.sendall(data)
    return connection


async def _later() -> str:
    await asyncio.sleep(0)
    return "Kafka is away"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "problem", "status", "text"),
    [
        ("/healthz", str, 200, "alive\n"),
        ("/readyz", str, 200, "ready\n"),
        ("/readyz?verbose", lambda: "no batch", 503, "no batch\n"),
        ("/healthz", lambda: "stuck", 503, "stuck\n"),
        ("/readyz", _later, 503, "Kafka is away\n"),
        ("/", str, 404, "not found\n"),
        ("/metrics/", str, 404, "not found\n"),
    ],
)
def test_health_is_answered(path: str, problem: Check, status: int, text: str, method: str) -> None:
    """A check without a problem is 200, one with a problem 503; HEAD has only the headers."""
    with _served(problem, problem) as url:
        answer = _get(url + path, method)

    assert (answer.status_code, answer.headers["content-length"]) == (status, str(len(text)))
    assert answer.text == (text if method == "GET" else "")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


def test_checks_are_apart() -> None:
    """A process that is not ready is alive."""
    with _served(lambda: "not yet") as url:
        assert _get(f"{url}/healthz").status_code == 200
        assert _get(f"{url}/readyz").status_code == 503


def test_metrics_are_answered() -> None:
    """Prometheus reads the registry's values in its text format."""
    registry = MetricRegistry("console")
    registry.gauge("live_streams").set(3)
    server = HealthServer(_LOOPBACK, 0, registry, str)
    with server.in_thread():
        answer = _get(f"http://{_LOOPBACK}:{server.port}/metrics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "\nclickstream_console_live_streams 3.0\n" in answer.text


def test_nothing_can_be_written() -> None:
    """Other methods are refused, with those that are allowed."""
    with _served() as url:
        answer = _get(f"{url}/healthz", "POST")

    assert (answer.status_code, answer.text) == (405, "method not allowed\n")
    assert answer.headers["allow"] == "GET, HEAD"


def test_other_hosts_are_refused() -> None:
    """A foreign page that points its name here reads nothing."""
    with _served(hosts=(_LOOPBACK, "*.shop")) as url:
        assert _get(f"{url}/metrics").status_code == 200
        assert _get(f"{url}/metrics", Host="a.shop").status_code == 200
        assert _get(f"{url}/metrics", Host="evil.example").status_code == 400


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nA: " + b"a" * 20_000, b"431"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\r\n\r\n", b"400"),
    ],
)
def test_unfit_requests_are_refused(data: bytes, status: bytes) -> None:
    """A head that is too large, and one that is not HTTP, get an answer and no more."""
    with _served() as url, _sent(url, data) as connection:
        assert connection.recv(4_096).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("data", [b"", b"GET /healthz HTTP/1.1\r\n"])
def test_slow_request_ends(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    """A peer that does not finish its request loses the connection."""
    monkeypatch.setattr(module, "_REQUEST_SECONDS", 0.2)
    with _served() as url, _sent(url, data) as connection:
        assert connection.recv(1) == b""


def test_slow_reader_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection does not end before the kernel has the last byte of an answer."""
    monkeypatch.setattr(module, "generate_latest", lambda _: b"x" * 60_000)
    server = HealthServer(_LOOPBACK, 0, MetricRegistry("console"), str)
    with server.in_thread(), socket.socket() as connection:
        server._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect((_LOOPBACK, server.port))
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        time.sleep(0.3)
        received = b"".join(iter(lambda: connection.recv(4_096), b""))

    assert received.endswith(b"\r\n\r\n" + b"x" * 60_000)


def test_unread_answer_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not read its answer loses the connection."""
    monkeypatch.setattr(module, "_REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(module, "generate_latest", lambda _: b"x" * 50_000_000)
    with _served() as url, _sent(url, b"GET /metrics HTTP/1.0\r\n\r\n") as connection:
        time.sleep(0.5)
        received = 0
        with suppress(ConnectionError):
            while piece := connection.recv(1_000_000):
                received += len(piece)

    assert received < 50_000_000


def test_idle_peer_takes_nothing() -> None:
    """Two hundred sockets of one peer that send nothing leave room for another's request."""
    with _served() as url, ExitStack() as held:
        for _ in range(200):
            held.enter_context(_sent(url, b"", "127.0.0.2"))

        assert _get(f"{url}/healthz").status_code == 200


def test_connections_are_bounded() -> None:
    """Many peers together keep no more connections than the limit; a free one is given again."""
    with _served() as url:
        with ExitStack() as held:
            opened = [
                held.enter_context(_sent(url, b"", f"127.0.0.{2 + number % 8}"))
                for number in range(200)
            ]
            with pytest.raises(httpx.TransportError):
                _get(f"{url}/healthz")
            for connection in opened:
                connection.settimeout(0)
            assert sum(map(_is_open, opened)) == module._CONNECTIONS
        wait_until(lambda: _is_answered(url), "there is room again", 10)


def _is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def _is_answered(url: str) -> bool:
    try:
        return _get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_failed_check_is_no_answer() -> None:
    """A check that fails itself gives no answer, and the next request gets one."""

    def fail() -> str:
        raise RuntimeError

    with _served(fail) as url:
        with pytest.raises(httpx.TransportError):
            _get(f"{url}/readyz")
        assert _get(f"{url}/healthz").status_code == 200


def test_loop_serves_itself() -> None:
    """In a process with a loop the checks run there, and a blocked loop does not answer."""

    async def ask() -> int:
        server = HealthServer(_LOOPBACK, 0, MetricRegistry("console"), str)
        async with server, httpx.AsyncClient(trust_env=False) as client:
            url = f"http://{_LOOPBACK}:{server.port}/healthz"
            status = (await client.get(url)).status_code
            with _sent(url, b"GET /healthz HTTP/1.0\r\n\r\n") as connection:
                connection.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    connection.recv(1)  # which blocks the loop
        return status

    assert asyncio.run(ask()) == 200


def test_port_is_given_back() -> None:
    """At the end open connections end, and nothing listens."""
    with _served() as url:
        connection = _sent(url, b"GET")
        time.sleep(0.1)

    assert connection.recv(1) == b""
    connection.close()
    with pytest.raises(httpx.ConnectError):
        _get(f"{url}/healthz")


def test_taken_port_is_an_error() -> None:
    """A port that another server has is an error at once."""
    with _served() as url:
        server = HealthServer(_LOOPBACK, httpx.URL(url).port or 0, MetricRegistry("console"), str)
        with pytest.raises(OSError, match="address already in use"), server.in_thread():
            pass
