"""Services behind TLS and passwords: certificates of our own, and one more listener.

Owns how the laptop mode's broker is made to ask who is there, and a door that shows a database's
certificate.
"""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import clickstream_local.kafka
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest
    import trustme

__all__ = ["add_listener", "add_tls_listener", "tls_door"]


def add_listener(
    monkeypatch: pytest.MonkeyPatch, port: int, protocol: str, more: dict[str, str]
) -> None:
    """Let brokers that start from now on have one more listener."""
    plain = clickstream_local.kafka._properties

    def with_listener(*ports: int) -> str:
        lines = dict(line.split("=", 1) for line in plain(*ports).splitlines())
        lines["listeners"] += f",SECURE://127.0.0.1:{port}"
        lines["advertised.listeners"] += f",SECURE://127.0.0.1:{port}"
        lines["listener.security.protocol.map"] += f",SECURE:{protocol}"
        return "".join(f"{name}={value}\n" for name, value in (lines | more).items())

    monkeypatch.setattr(clickstream_local.kafka, "_properties", with_listener)


def add_tls_listener(
    monkeypatch: pytest.MonkeyPatch, port: int, authority: trustme.CA, folder: Path
) -> None:
    """Let brokers that start from now on take TLS and SCRAM-SHA-512 at the port.

    A client of that port has no rights unless they are granted; a client of the plain port has all.
    """
    certificate = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content += b"".join(row.bytes() for row in certificate.cert_chain_pems)
    (folder / "broker.pem").write_bytes(content)
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    add_listener(
        monkeypatch,
        port,
        "SASL_SSL",
        {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.secure.scram-sha-512.sasl.jaas.config": f"{module} required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(folder / "broker.pem"),
        },
    )


@contextmanager
def tls_door(authority: trustme.CA) -> Iterator[int]:
    """Give the port of a PostgreSQL that shows its certificate, and then hangs up.

    The laptop's own server is built without TLS. What it does is PostgreSQL's protocol: 8 bytes
    of ``SSLRequest``, answered with ``S``, then TLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with suppress(OSError), client:
                        client.recv(8)
                        client.sendall(b"S")
                        context.wrap_socket(client, server_side=True).close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
