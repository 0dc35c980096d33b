"""Brokers and databases that ask who is there: the right ones get in, the others are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import trustme
from clickstream_contract.access import GENERATOR, STREAMING
from clickstream_contract.document import parse_simulation
from clickstream_contract.topics import EVENTS, LEDGER, SHARDS, TOPICS
from clickstream_local.ports import free_port
from clickstream_streaming.errors import DatabaseUnreachable
from clickstream_streaming.settings import settings_from
from clickstream_streaming.shell.database import connect
from clickstream_streaming.shell.verification import DEFECTS
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from generators import Broker, GeneratorRun
from pipeline import SIMULATION, Pipeline
from secured import add_listener, add_tls_listener, tls_door

if TYPE_CHECKING:
    from pathlib import Path

    from confluent_kafka import KafkaError, Message

pytestmark = pytest.mark.services

SHORT = parse_simulation(SIMULATION.replace("events: 3000", "events: 1000"))


def _client(port: int, name: str, authority: Path) -> dict[str, Any]:
    """Return how one reaches the broker with TLS as one of its users."""
    return {
        "bootstrap.servers": f"127.0.0.1:{port}",
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(authority),
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": name,
        "sasl.password": "right",
        "log_level": 0,
    }


def _writable(client: dict[str, Any]) -> set[str]:
    """Return the topics that take a record."""
    taken: set[str] = set()

    def reported(error: KafkaError | None, message: Message) -> None:
        if error is None:
            taken.add(message.topic() or "")
        else:
            assert error.name() in {"TOPIC_AUTHORIZATION_FAILED", "_UNKNOWN_TOPIC"}, error

    producer = Producer(client)
    for topic in TOPICS:
        producer.produce(topic.name, key="somebody/0/else", value="{}", on_delivery=reported)
    assert producer.flush(30) == 0
    return taken


def _readable(client: dict[str, Any]) -> set[str]:
    """Return the topics that give their records."""
    found = set()
    for topic in TOPICS:
        consumer = Consumer({**client, "enable.partition.eof": True})
        consumer.assign([TopicPartition(topic.name, 0, OFFSET_BEGINNING)])
        message = consumer.poll(30)
        assert message is not None
        error = message.error()
        if error is None:
            found.add(topic.name)
        else:
            assert error.name() == "TOPIC_AUTHORIZATION_FAILED", error
        consumer.close()
    return found


def _may_make_topics(client: dict[str, Any]) -> bool:
    """Say whether topics can be made or taken away."""
    admin = AdminClient(client)
    for change in (
        admin.create_topics([NewTopic("own", 1, 1)])["own"],
        admin.delete_topics([EVENTS.name])[EVENTS.name],
    ):
        error = change.exception(30)
        if error is None:
            return True
        assert isinstance(error, KafkaException)
        assert error.args[0].name() == "TOPIC_AUTHORIZATION_FAILED"
    return False


def test_generator_checks_tls_and_scram(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong certificates and passwords are named; with the right ones it may do what it must."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    ours, others = trustme.CA(), trustme.CA()
    add_tls_listener(monkeypatch, port, ours, folder)
    secure = Broker(folder)
    user, password, authority = (tmp_path / name for name in ("username", "password", "ca.crt"))
    user.write_text(f"{GENERATOR.name}\n", encoding="utf-8")
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
        secure.add_user(GENERATOR.name, "right")
        secure.let(GENERATOR)
        for secret, trusted, named in (
            ("right", others, "CLICKSTREAM_GENERATOR_CA_FILE"),
            ("wrong", ours, "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE"),
        ):
            password.write_text(secret, encoding="utf-8")
            trusted.cert_pem.write_to_path(str(authority))
            run.start().must_end(90, code=3)
            log = (tmp_path / "generator.log").read_text(encoding="utf-8")
            assert named in log.splitlines()[-1]
            assert "Traceback" not in log
        password.write_text("right", encoding="utf-8")
        run.start().must_end(90)
        assert len(run.events()) == 1_000
        client = _client(port, GENERATOR.name, authority)
        assert _writable(client) == {EVENTS.name, LEDGER.name, SHARDS.name}
        assert _readable({**client, "group.id": "clickstream-generator"}) == {SHARDS.name}
        assert not _may_make_topics(client)
    finally:
        run.stop()
        secure.stop()


def test_generator_names_a_wrong_password(
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
        run.start().must_end(90, code=3)
        log = (tmp_path / "generator.log").read_text(encoding="utf-8")
        assert "CLICKSTREAM_GENERATOR_USERNAME and _PASSWORD_FILE" in log
        assert "Traceback" not in log
        assert "wrong" not in log

        password.write_text("right\n", encoding="utf-8")
        run.start().must_end(90)
        assert len(run.events()) == 1_000
    finally:
        run.stop()
        secure.stop()


def test_stream_checks_tls_and_scram(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers' certificates and wrong passwords are named; with the right ones all is stored."""
    folder, port = tmp_path_factory.mktemp("stream"), free_port()
    ours, others = trustme.CA(), trustme.CA()
    add_tls_listener(monkeypatch, port, ours, folder)
    user, password, authority = (tmp_path / name for name in ("username", "password", "ca.crt"))
    user.write_text(STREAMING.name, encoding="utf-8")
    secure = {
        "SECURITY_PROTOCOL": "SASL_SSL",
        "USERNAME_FILE": str(user),
        "PASSWORD_FILE": str(password),
        "CA_FILE": str(authority),
    }
    with Pipeline(folder, has_stream=False) as pipeline:
        pipeline.is_kafka_proxied = False
        broker = Broker.of(pipeline.kafka)
        broker.add_user(STREAMING.name, "right")
        broker.let(STREAMING)
        plain, pipeline.kafka.bootstrap_servers = broker.servers, f"127.0.0.1:{port}"
        log_file = pipeline.state.log_file("streaming")
        for secret, trusted, code, named in (
            ("right", others, 1, "CLICKSTREAM_STREAMING_CA_FILE"),
            ("wrong", ours, 1, "CLICKSTREAM_STREAMING_USERNAME_FILE and _PASSWORD_FILE"),
            ("right\n", ours, 2, "CLICKSTREAM_STREAMING_PASSWORD_FILE"),
        ):
            password.write_text(secret, encoding="utf-8")
            trusted.cert_pem.write_to_path(str(authority))
            pipeline.resume(**secure)
            assert pipeline.wait_until_stream_ends("the stream refuses") == code
            assert named in log_file.read_text(encoding="utf-8").splitlines()[-1]

        password.write_text("right", encoding="utf-8")
        pipeline.resume(**secure)
        pipeline.kafka.bootstrap_servers = plain
        pipeline.drain(pipeline.generate())

        assert {name: getattr(pipeline.verify(), name) for name in DEFECTS} == dict.fromkeys(
            DEFECTS, 0
        )
        client = _client(port, STREAMING.name, authority)
        assert _writable(client) == set()
        assert not _may_make_topics(client)
        log = log_file.read_text(encoding="utf-8")
        assert not [word for word in ('"right"', '"wrong"', "password=") if word in log]


def test_database_certificate_is_checked(tmp_path: Path) -> None:
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
