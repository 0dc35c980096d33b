"""The HTTP output against a real server that fails, slows down and cuts connections."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import TYPE_CHECKING

import pytest
import yaml
from clickstream_contract.document import dump_simulation
from generators import four_shards
from run_folders import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "clickstream_generator.command"]
START = "2026-11-27T08:00:00Z"
EVENTS = 8_000
_FAILURES = ("503", "429", "cut before", "cut after", "slow")


class _Receiver(ThreadingHTTPServer):
    """A receiver that fails once for each of the first requests, each in another way."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = Lock()
        self.bodies: Counter[bytes] = Counter()
        self.accepted: list[bytes] = []
        self.headers: list[dict[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Receiver

    def log_message(self, *_arguments: object) -> None:
        """Print nothing."""

    def do_POST(self) -> None:
        """Fail at the first sight of some bodies; accept every other request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.bodies[body] += 1
            is_first = self.server.bodies[body] == 1
            number = len(self.server.bodies)
            self.server.headers.append({name.lower(): text for name, text in self.headers.items()})
        failure = _FAILURES[number % len(_FAILURES)] if is_first and number <= 40 else ""
        if failure == "cut before":
            self.close_connection = True
            self.connection.shutdown(SHUT_RDWR)
            return
        if failure in {"503", "429"}:
            self.send_response(int(failure))
            self.send_header("retry-after", "0")
        else:
            with self.server.lock:
                self.server.accepted.append(body)
            if failure == "cut after":
                self.close_connection = True
                self.connection.shutdown(SHUT_RDWR)
                return
            if failure == "slow":
                time.sleep(0.2)
            self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture
def receiver() -> Iterator[_Receiver]:
    """Return a receiver on a free port."""
    server = _Receiver()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def _file(folder: Path, **faults: int) -> Path:
    document = yaml.safe_load(dump_simulation(four_shards(2_000, EVENTS)))
    document["spec"]["faults"] = faults
    path = folder / "simulation.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def _run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, timeout=120, check=False
    )


def test_receiver_that_fails_loses_nothing(receiver: _Receiver, tmp_path: Path) -> None:
    """Failures, cut connections and slow answers lose no event, and a retry has the same ids."""
    file = _file(tmp_path, corruptPermille=5, latePermille=5)
    headers = tmp_path / "headers"
    headers.write_text("x-api-key: hidden\n", encoding="utf-8")
    done = _run(
        file, "--start", START, "--output", f"http://127.0.0.1:{receiver.server_port}/events",
        "--http-headers", headers, "--http-batch", 100, "--truth", tmp_path / "truth",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"hidden" not in done.stderr + done.stdout
    lines = _run(file, "--start", START).stdout.removesuffix(b"\n").split(b"\n")

    assert {row["x-api-key"] for row in receiver.headers} == {"hidden"}
    received = [line for body in set(receiver.accepted) for line in body.split(b"\n") if line]
    # Records without a value are all alike.
    assert content_hash(received) == content_hash([line for line in lines if line])
    assert receiver.accepted.count(b"") >= lines.count(b"") > 0
    assert max(receiver.bodies.values()) >= 2
    assert len(receiver.accepted) > len(set(receiver.accepted))  # a lost answer, the same ids again
    entries = (tmp_path / "truth" / "ledger.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(row) for row in entries.splitlines()]
    ends = [row for row in rows if row["kind"] == "shard_end"]
    assert sum(row["records_acknowledged"] for row in ends) == len(lines)


def test_refusal_is_one_sentence(receiver: _Receiver, tmp_path: Path) -> None:
    """A receiver that answers 400 ends the run with its words."""

    def refuse(self: _Handler) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(400)
        self.send_header("content-length", "9")
        self.end_headers()
        self.wfile.write(b"no colour")

    receiver.RequestHandlerClass = type("_Refusing", (_Handler,), {"do_POST": refuse})
    place = f"http://127.0.0.1:{receiver.server_port}/events"
    done = _run(_file(tmp_path), "--output", place)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines()[-1] == (
        f"error: {place} refuses records: HTTP 400 'no colour'; check the address and the form"
    )
