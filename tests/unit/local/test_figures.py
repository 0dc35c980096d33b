"""Figures of a running pipeline: what needs no database."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from clickstream_local.figures import LiveFigures, scrape
from clickstream_local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _process(text: str, status: int = 200) -> Iterator[str]:
    """Show a text as a process's metrics; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Write no log."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_metrics_are_summed() -> None:
    """Samples of a metric are added over their labels."""
    with _process('sent_total{shard="0"} 2\nsent_total{shard="1"} 3\nup 1\n') as url:
        assert scrape(url) == {"sent_total": 5.0, "up": 1.0}


def test_silent_process_has_none() -> None:
    """A process that does not answer, or answers an error, has no metrics."""
    assert scrape(f"http://127.0.0.1:{free_port()}/metrics") == {}
    with _process("up 1\n", 500) as url:
        assert scrape(url) == {}


@pytest.mark.parametrize(
    ("acknowledged", "stored", "rejected", "lag"), [(10, 6, 1, 3), (10, 9, 1, 0), (10, 10, 3, 0)]
)
def test_lag_is_never_negative(acknowledged: int, stored: int, rejected: int, lag: int) -> None:
    """The lag is what Kafka has and the tables have not."""
    figures = LiveFigures(1.0, 1.0, acknowledged, stored, rejected, None, None, ())

    assert figures.lag_events == lag
