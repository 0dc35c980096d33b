"""Brokers and databases that ask who is there: the right ones get in, the others are named."""

from __future__ import annotations

from dataclasses import dataclass
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
    from collections.abc import Iterator
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
    """Return whether topics can be made or deleted."""
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


@dataclass(frozen=True)
class Secured:
    """A pipeline without a stream, whose Kafka asks for TLS and SCRAM.

    Attributes:
        pipeline: The pipeline.
        plain_servers: Where its Kafka asks for neither.
        port: Where it asks for both.
        authority: Signs its certificate.
        folder: Where the stream's credentials are written.
    """

    pipeline: Pipeline
    plain_servers: str
    port: int
    authority: trustme.CA
    folder: Path

    @property
    def user(self) -> Path:
        """The file with the user's name."""
        return self.folder / "username"

    @property
    def trusted(self) -> Path:
        """The file with the certificates that the stream trusts."""
        return self.folder / "ca.crt"

    def resume(self, secret: str, authority: trustme.CA) -> None:
        """Start the stream with a password and the certificate of an authority."""
        password = self.folder / "password"
        password.write_text(secret, encoding="utf-8")
        authority.cert_pem.write_to_path(str(self.trusted))
        self.pipeline.resume(
            SECURITY_PROTOCOL="SASL_SSL",
            USERNAME_FILE=str(self.user),
            PASSWORD_FILE=str(password),
            CA_FILE=str(self.trusted),
        )

    def log(self) -> str:
        """Return what the stream has logged."""
        return self.pipeline.state.log_file("streaming").read_text(encoding="utf-8")


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
        assert _readable({**client, "group.id": "clickstream-generator"}) == {
            LEDGER.name,
            SHARDS.name,
        }
        assert not _may_make_topics(client)
    finally:
        run.stop()
        secure.stop()


@pytest.mark.slow
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


@pytest.fixture
def secured(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Secured]:
    """Return a pipeline without a stream, whose Kafka asks for TLS and SCRAM."""
    folder, port = tmp_path_factory.mktemp("stream"), free_port()
    authority = trustme.CA()
    add_tls_listener(monkeypatch, port, authority, folder)
    with Pipeline(folder, has_stream=False) as pipeline:
        pipeline.is_kafka_proxied = False
        broker = Broker.of(pipeline.kafka)
        broker.add_user(STREAMING.name, "right")
        broker.let(STREAMING)
        secured = Secured(pipeline, broker.servers, port, authority, tmp_path)
        secured.user.write_text(STREAMING.name, encoding="utf-8")
        pipeline.kafka.bootstrap_servers = f"127.0.0.1:{port}"
        yield secured


@pytest.mark.slow
def test_stream_needs_no_plain_kafka(secured: Secured) -> None:
    """With the right certificate and password every event is stored, and no more is allowed."""
    secured.resume("right", secured.authority)
    secured.pipeline.kafka.bootstrap_servers = secured.plain_servers

    secured.pipeline.drain(secured.pipeline.generate())

    report = secured.pipeline.verify()
    assert {name: getattr(report, name) for name in DEFECTS} == dict.fromkeys(DEFECTS, 0)
    client = _client(secured.port, STREAMING.name, secured.trusted)
    assert _writable(client) == set()
    assert not _may_make_topics(client)
    log = secured.log()
    assert not [word for word in ('"right"', "password=") if word in log]


@pytest.mark.slow
def test_password_with_line_end_is_refused(secured: Secured) -> None:
    """A password file that ends with a line end is named before anything starts."""
    secured.resume("right\n", secured.authority)

    assert secured.pipeline.wait_until_stream_ends("the stream refuses") == 2
    assert "CLICKSTREAM_STREAMING_PASSWORD_FILE" in secured.log().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("secret", "is_ours", "named"),
    [
        ("right", False, "CLICKSTREAM_STREAMING_CA_FILE"),
        ("wrong", True, "CLICKSTREAM_STREAMING_USERNAME_FILE and _PASSWORD_FILE"),
    ],
)
def test_stream_names_what_is_wrong(
    secured: Secured, secret: str, named: str, *, is_ours: bool
) -> None:
    """Certificates of strangers and wrong passwords are named by their settings."""
    secured.resume(secret, secured.authority if is_ours else trustme.CA())

    assert secured.pipeline.wait_until_stream_ends("the stream refuses") == 1
    log = secured.log()
    assert named in log.splitlines()[-1]
    assert '"wrong"' not in log
    assert "password=" not in log


def test_database_certificate_is_checked(tmp_path: Path) -> None:
    """A foreign certificate is refused before a password is sent; the right one is accepted."""
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
