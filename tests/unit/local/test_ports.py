"""Free ports on loopback."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from clickstream_local import ports
from clickstream_local.ports import LOOPBACK, free_port


def test_wanted_port_is_kept() -> None:
    """A port that is free is given again to who wants it."""
    port = free_port()

    assert free_port(port) == port


def test_busy_port_is_not_given() -> None:
    """A port with a listener is replaced by a free one."""
    with socket.create_server((LOOPBACK, 0)) as server:
        busy = server.getsockname()[1]
        port = free_port(busy)

    assert port != busy
    with socket.create_server((LOOPBACK, port)):
        pass


def test_ports_are_given_once() -> None:
    """No port is given twice in a process before all were, and none that the kernel lends."""
    lent_file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_lent = int(lent_file.read_text().split()[0]) if lent_file.exists() else 49_152

    given = [free_port() for _ in range(500)]

    assert len(set(given)) == 500
    assert min(given) >= 20_000
    assert max(given) < first_lent


@pytest.mark.parametrize(
    ("text", "first"), [("32768\t60999\n", 32_768), ("20001 60999", 20_001), ("1024 60999", 49_152)]
)
def test_lent_ports_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, first: int
) -> None:
    """The ephemeral range is the kernel's; if that starts too low, IANA's."""
    file = tmp_path / "range"
    file.write_text(text)
    monkeypatch.setattr(ports, "_LENT_FILE", file)

    assert ports._lent_from() == first


def test_lent_ports_have_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the kernel's file, IANA's ephemeral range is used."""
    monkeypatch.setattr(ports, "_LENT_FILE", tmp_path / "none")

    assert ports._lent_from() == 49_152


def test_no_port_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any free port the error names the range that was tried."""
    monkeypatch.setattr(ports, "_is_free", lambda _port: False)
    monkeypatch.setattr(ports, "_CANDIDATES", range(20_000, 20_010))

    with pytest.raises(OSError, match=r"no free port on 127\.0\.0\.1 from 20000 to 20009"):
        free_port(20_005)
