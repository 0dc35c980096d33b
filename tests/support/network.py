"""A way between two processes that can break: a TCP proxy, and a broker that is only behind it.

Owns how connections are cut, forgotten and lost on the way. A packet that is lost is one that the
kernel drops before TCP sees it (a socket filter that lets nothing pass): nothing is acknowledged,
as if a cable were pulled, which a proxy that merely stops reading cannot show.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from unittest import mock

import clickstream_local.kafka
from clickstream_local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TcpProxy", "one_more_listener"]

_CHUNK_BYTES = 1 << 16
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
# One instruction of classic BPF: BPF_RET | BPF_K with 0, "keep no byte" (socket(7), bpf(4)).
_DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
_PROGRAM = struct.pack("HL", 1, ctypes.addressof(_DROP_ALL))
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOWHERE = struct.pack("H14x", socket.AF_UNSPEC)


class TcpProxy:
    """Listens on a loopback port and carries what comes to another one.

    Attributes:
        port: Where it listens.
        target_port: Where it carries to; set before the first connection.
        resets: How many connections were cut by what their clients said.
    """

    def __init__(self, target_port: int = 0) -> None:
        """Begin to listen."""
        self.target_port = target_port
        self._server = socket.create_server((LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._marker: bytes | None = None
        self.resets = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and cut what is open."""
        self._server.close()
        self.reset()

    def reset(self) -> None:
        """Answer all open connections with RST, at both ends."""
        for pair in self._open_pairs():
            self._cut(pair)

    def reset_in(self, marker: bytes) -> None:
        """Cut the next connection whose client says this, in the middle of what it says then."""
        self._marker = marker

    def forget(self) -> None:
        """Lose every packet of what is open now, for ever: both ends believe it is still there."""
        for pair in self._open_pairs():
            for end in pair:
                _lose(end)

    def part(self) -> None:
        """Lose every packet, also of those who want to connect."""
        _lose(self._server)
        self.forget()

    def heal(self) -> None:
        """Lose no more packets."""
        for end in (self._server, *(end for pair in self._open_pairs() for end in pair)):
            with suppress(OSError):  # it had none
                end.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)

    def _open_pairs(self) -> list[tuple[socket.socket, socket.socket]]:
        with self._lock:
            self._pairs = [pair for pair in self._pairs if pair[0].fileno() >= 0]
            return list(self._pairs)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                try:
                    server = socket.create_connection((LOOPBACK, self.target_port))
                except OSError:  # no listener there, so none here
                    _close(client)
                    continue
                pair = client, server
                with self._lock:
                    self._pairs.append(pair)
                for end in pair:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=pair, daemon=True).start()
                threading.Thread(target=self._carry, args=pair[::-1], daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        is_marked = False
        with suppress(OSError):
            while chunk := source.recv(_CHUNK_BYTES):
                if is_marked:
                    sink.sendall(chunk[: len(chunk) // 2])
                    self.resets += 1
                    break
                marker = self._marker
                if marker is not None and marker in chunk:
                    self._marker, is_marked = None, True
                sink.sendall(chunk)
        self._cut((source, sink))

    @staticmethod
    def _cut(pair: tuple[socket.socket, socket.socket]) -> None:
        for end in pair:
            _close(end)


def _lose(end: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM)


def _close(end: socket.socket) -> None:
    """Close with RST, and wake who reads from it: connect(2) to nowhere does both."""
    if end.fileno() >= 0:
        _LIBC.connect(end.fileno(), _NOWHERE, len(_NOWHERE))
        end.close()


@contextmanager
def one_more_listener(
    name: str,
    port: int,
    advertised_port: int,
    protocol: str = "PLAINTEXT",
    more: dict[str, str] | None = None,
) -> Iterator[None]:
    """Let brokers that start meanwhile have one more listener, and say where it is reached."""
    plain = clickstream_local.kafka._properties

    def with_listener(*ports: int) -> str:
        lines = dict(line.split("=", 1) for line in plain(*ports).splitlines())
        lines["listeners"] += f",{name}://{LOOPBACK}:{port}"
        lines["advertised.listeners"] += f",{name}://{LOOPBACK}:{advertised_port}"
        lines["listener.security.protocol.map"] += f",{name}:{protocol}"
        return "".join(f"{key}={value}\n" for key, value in (lines | (more or {})).items())

    with mock.patch.object(clickstream_local.kafka, "_properties", with_listener):
        yield
