"""Brokers and databases that ask who is there: the right ones get in, the others are named."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import trustme
from clickstream_contract.document import parse_simulation
from clickstream_local.ports import free_port
from clickstream_streaming.errors import DatabaseUnreachable
from clickstream_streaming.settings import settings_from
from clickstream_streaming.shell.database import connect
from clickstream_streaming.shell.verification import DEFECTS
from generators import Broker, GeneratorRun
from pipeline import SIMULATION, Pipeline
from secured import add_listener, add_tls_listener, tls_door

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.services

SHORT = parse_simulation(SIMULATION.replace("events: 3000", "events: 1000"))


def test_the_generator_takes_tls_and_scram_at_their_word(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of somebody else's and a wrong password are named; the right ones are taken."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    ours, others = trustme.CA(), trustme.CA()
    add_tls_listener(monkeypatch, port, ours, folder)
    secure = Broker(folder)
    user, password, authority = (tmp_path / name for name in ("username", "password", "ca.crt"))
    user.write_text("load\n", encoding="utf-8")
    run = GeneratorRun(
        secure,
        tmp_path,
        SHORT,
        uuid4(),
        bootstrap_servers=f"127.0.0.1:{port}",
        security_protocol="SASL_SSL",
        username="nobody",
        username_file=user,
        password_file=password,
        ca_file=authority,
    )
    try:
        secure.add_user("load", "right")
        for secret, trusted, named in (
            ("right", others, "CLICKSTREAM_GENERATOR_CA_FILE"),
            ("wrong", ours, "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE"),
        ):
            password.write_text(secret, encoding="utf-8")
            trusted.cert_pem.write_to_path(str(authority))
            assert run.start().process.process.wait(90) == 3
            log = (tmp_path / "generator.log").read_text(encoding="utf-8")
            assert named in log.splitlines()[-1]
            assert "Traceback" not in log
        password.write_text("right", encoding="utf-8")
        assert run.start().process.process.wait(90) == 0
        assert len(run.events()) == 1_000
    finally:
        run.stop()
        secure.stop()


def test_the_generator_names_a_wrong_password_and_takes_the_right_one(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SASL works with a password from a file; a wrong one ends the process by name."""
    port = free_port()
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    add_listener(
        monkeypatch,
        port,
        "SASL_PLAINTEXT",
        {
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": f'{login} user_generator="right";',
        },
    )
    secure = Broker(tmp_path_factory.mktemp("secure"))
    password = tmp_path / "password"
    run = GeneratorRun(
        secure,
        tmp_path,
        SHORT,
        uuid4(),
        bootstrap_servers=f"127.0.0.1:{port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        username="generator",
        password_file=password,
    )
    try:
        password.write_text("wrong\n", encoding="utf-8")
        assert run.start().process.process.wait(90) == 3
        log = (tmp_path / "generator.log").read_text(encoding="utf-8")
        assert "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE" in log
        assert "Traceback" not in log
        assert "wrong" not in log

        password.write_text("right\n", encoding="utf-8")
        assert run.start().process.process.wait(90) == 0
        assert len(run.events()) == 1_000
    finally:
        run.stop()
        secure.stop()


def test_the_stream_takes_tls_and_scram_at_their_word(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers' certificates and wrong passwords are named; with the right ones all is stored."""
    folder, port = tmp_path_factory.mktemp("stream"), free_port()
    ours, others = trustme.CA(), trustme.CA()
    add_tls_listener(monkeypatch, port, ours, folder)
    user, password, authority = (tmp_path / name for name in ("username", "password", "ca.crt"))
    user.write_text("stream", encoding="utf-8")
    secure = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "USERNAME_FILE": str(user),
        "PASSWORD_FILE": str(password),
        "CA_FILE": str(authority),
    }
    with Pipeline(folder) as pipeline:
        pipeline.halt()
        broker = Broker.of(pipeline.kafka)
        broker.add_user("stream", "right")
        plain, pipeline.kafka.bootstrap_servers = broker.servers, f"127.0.0.1:{port}"
        log_file = pipeline.state.log_file("streaming")
        for secret, trusted, code, named in (
            ("right", others, 1, "CLICKSTREAM_STREAMING_CA_FILE"),
            ("wrong", ours, 1, "CLICKSTREAM_STREAMING_USERNAME_FILE and _PASSWORD_FILE"),
            ("right\n", ours, 2, "CLICKSTREAM_STREAMING_PASSWORD_FILE"),
        ):
            password.write_text(secret, encoding="utf-8")
            trusted.cert_pem.write_to_path(str(authority))
            stream = pipeline.resume(**secure)
            assert stream.process.wait(120) == code
            assert named in log_file.read_text(encoding="utf-8").splitlines()[-1]
            pipeline.halt()

        password.write_text("right", encoding="utf-8")
        pipeline.resume(**secure)
        pipeline.kafka.bootstrap_servers = plain
        pipeline.drain(pipeline.generate())

        assert {name: getattr(pipeline.verify(), name) for name in DEFECTS} == dict.fromkeys(
            DEFECTS, 0
        )
        log = log_file.read_text(encoding="utf-8")
        assert not [word for word in ('"right"', '"wrong"', "password=") if word in log]


def test_a_databases_certificate_is_checked(tmp_path: Path) -> None:
    """One of somebody else's is refused before a password is sent; the right one is taken."""
    ours, others = trustme.CA(), trustme.CA()
    password, authority = tmp_path / "password", tmp_path / "ca.crt"
    password.write_text("secret", encoding="utf-8")
    with tls_door(ours) as port:
        for trusted, said in ((others, "certificate verify failed"), (ours, "EOF|closed the conn")):
            trusted.cert_pem.write_to_path(str(authority))
            settings = {
                "BOOTSTRAP_SERVERS": "unused:9092",
                "POSTGRES_HOST": "127.0.0.1",
                "POSTGRES_PORT": str(port),
                "POSTGRES_PASSWORD_FILE": str(password),
                "POSTGRES_SSLMODE": "verify-full",
                "POSTGRES_CA_FILE": str(authority),
                "CHECKPOINT_DIR": str(tmp_path),
            }
            named = {f"CLICKSTREAM_STREAMING_{name}": value for name, value in settings.items()}
            with pytest.raises(DatabaseUnreachable, match=said):
                connect(settings_from(named))
