"""Requests and proxies."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from clickstream_local.ports import free_port
from clickstream_local.web import is_loopback, open_url

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        """Write no log."""


@contextmanager
def _service() -> Iterator[str]:
    """Return the URL of a service on loopback."""
    server = HTTPServer(("127.0.0.1", 0), _Hello)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_loopback_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A request to this machine does not go through the proxy that the environment names."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with _service() as url, closing(open_url(url, 20)) as answer:
        assert answer.read() == b"hello"


def test_world_goes_through_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to another machine goes through the proxy that the environment names."""
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")

    with pytest.raises(OSError, match="refused"):
        open_url("https://repository.invalid/", 20)


@pytest.mark.parametrize("url", ["http://repository.invalid/", "ftp://127.0.0.1/", "file:///etc"])
def test_other_schemes_are_refused(url: str) -> None:
    """Only https leads to another machine."""
    with pytest.raises(ValueError, match="only https"):
        open_url(url, 1)


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://localhost:8080/maven2", True),
        ("http://[::1]/", True),
        ("http://127.0.0.1.evil.example/", False),
        ("http://127.0.0.1:80@evil.example/", False),
    ],
)
def test_loopback_is_a_host(url: str, *, is_here: bool) -> None:
    """What only begins like this machine's address leads elsewhere."""
    assert is_loopback(url) is is_here
