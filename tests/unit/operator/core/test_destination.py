"""Where a simulation may send its events, and with which credentials."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_operator.core.broker import Broker
from clickstream_operator.core.destination import (
    CREDENTIALS_LABEL,
    destination_problem,
    named_secrets,
)
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.registry import Registry
from clusters import SETTINGS, resource, simulation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_operator.core.conditions import Finding
    from clickstream_operator.settings import Settings

_SETTINGS = replace(
    SETTINGS,
    bootstrap_servers="kafka:9092,kafka-2:9092",
    allowed_servers=("Other.data:9093", "*.team.svc:9093", "*:7000"),
)
_AGREED = {"user": {CREDENTIALS_LABEL: "true"}}
_SECURED = {"credentialsSecretRef": {"name": "user"}, "caSecretRef": {"name": "ca"}}


def _problem(
    kafka: Mapping[str, object],
    settings: Settings = _SETTINGS,
    secrets: Mapping[str, Mapping[str, str]] = _AGREED,
    output: Mapping[str, str] | None = None,
) -> Finding | None:
    more: dict[str, Any] = {} if output is None else {"output": output}
    spec = simulation(kafka=kafka, **more).spec
    return destination_problem(spec, Broker(spec.kafka, settings), settings, secrets)


@pytest.mark.parametrize(
    "servers",
    [
        "kafka:9092", "KAFKA-2:9092,kafka:9092", "other.data:9093", "a.team.svc:9093",
        "a.b.team.svc:9093", "anything.example:7000",
    ],
)  # fmt: skip
def test_allowed_servers_pass(servers: str) -> None:
    """The operator's own servers and those of its list may be named, in any case of letters."""
    assert _problem({"bootstrapServers": servers}) is None


@pytest.mark.parametrize(
    ("servers", "named"),
    [
        ("attacker:9092", "attacker:9092"),
        ("kafka:9093", "kafka:9093"),
        ("kafka:9092,attacker:9092", "attacker:9092"),
        ("team.svc:9093", "team.svc:9093"),
        ("xteam.svc:9093", "xteam.svc:9093"),
        ("a.team.svc:9092", "a.team.svc:9092"),
        ("other.data.attacker:9093", "other.data.attacker:9093"),
        ("kafka.attacker:9092", "kafka.attacker:9092"),
    ],
)
def test_other_servers_are_refused(servers: str, named: str) -> None:
    """Each server must be allowed with its port, with credentials and without."""
    plain = _problem({"bootstrapServers": servers})
    secured = _problem({"bootstrapServers": servers, **_SECURED})

    for problem in (plain, secured):
        assert problem is not None
        assert problem.reason == "ServersRefused"
        assert f"does not allow {named};" in problem.message


def test_cluster_beside_it_passes() -> None:
    """A Strimzi cluster of the simulation's namespace needs no entry in the list."""
    settings = replace(_SETTINGS, allowed_servers=())

    assert _problem({"clusterRef": {"name": "clicks"}}, settings) is None


def test_nothing_is_allowed_without_a_list() -> None:
    """An operator without a Kafka and without a list allows no server."""
    settings = replace(_SETTINGS, bootstrap_servers="", allowed_servers=())
    problem = _problem({"bootstrapServers": "kafka:9092"}, settings)

    assert problem is not None
    assert problem.reason == "ServersRefused"


def test_credentials_need_tls() -> None:
    """Credentials without TLS are refused, unless the operator's settings allow it."""
    kafka = {"bootstrapServers": "kafka:9092", "credentialsSecretRef": {"name": "user"}}
    problem = _problem(kafka)

    assert problem is not None
    assert problem.reason == "TlsRequired"
    assert "secret user would go to kafka:9092 without TLS" in problem.message
    assert _problem(kafka, replace(_SETTINGS, sasl_without_tls=True)) is None
    assert _problem({**kafka, "caSecretRef": {"name": "ca"}}) is None


def test_own_credentials_need_tls_too() -> None:
    """The rule holds for the operator's own Kafka and credentials."""
    settings = replace(_SETTINGS, credentials_secret="default")  # noqa: S106  a secret's name
    problem = _problem({}, settings)

    assert problem is not None
    assert problem.reason == "TlsRequired"


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ({}, "there is no secret user in this namespace"),
        ({"other": {CREDENTIALS_LABEL: "true"}}, "there is no secret user"),
        ({"user": {}}, f'the secret user has no label {CREDENTIALS_LABEL}: "true"'),
        ({"user": {CREDENTIALS_LABEL: "false"}}, "the secret user has no label"),
        ({"user": {"clickstream.dev/simulation": "true"}}, "the secret user has no label"),
    ],
)
def test_secret_needs_its_owner(secrets: dict[str, dict[str, str]], words: str) -> None:
    """A secret that a simulation names is used only with the label that its owner sets."""
    problem = _problem({"clusterRef": {"name": "clicks"}, **_SECURED}, secrets=secrets)

    assert problem is not None
    assert problem.reason == "CredentialsRefused"
    assert words in problem.message


def test_labelled_secret_passes() -> None:
    """With the label the secret is used."""
    assert _problem({"clusterRef": {"name": "clicks"}, **_SECURED}) is None


def test_secret_of_the_settings_passes() -> None:
    """A secret that the operator's administrator has named needs no label."""
    settings = replace(_SETTINGS, credentials_secret="default", ca_secret="ca")  # noqa: S106  names

    assert _problem({}, settings, secrets={}) is None


@pytest.mark.parametrize(
    ("kafka", "name"),
    [
        ({}, ""),
        ({"credentialsSecretRef": {"name": "user"}}, "user"),
        ({"credentialsSecretRef": {}}, ""),
        ({"credentialsSecretRef": "user"}, ""),
        ({"credentialsSecretRef": {"name": 7}}, ""),
        (None, ""),
    ],
)
def test_named_secret_is_read(kafka: object, name: str) -> None:
    """Whatever form a resource has, a secret's name or nothing comes out."""
    found = (name,) if name else ()
    assert named_secrets(resource(kafka=kafka)) == found
    assert named_secrets(resource(verification={"database": kafka})) == found
    assert named_secrets({}) == ()


def test_each_named_secret_is_read_once() -> None:
    """Kafka and the database may have one secret or two."""
    one, two = ({"credentialsSecretRef": {"name": name}} for name in ("one", "two"))

    assert named_secrets(resource(kafka=one, verification={"database": two})) == ("one", "two")
    assert named_secrets(resource(kafka=one, verification={"database": one})) == ("one",)


@pytest.mark.parametrize(
    ("topic", "ledger", "refused"),
    [
        ("shop", "load-ledger", ""),
        ("load-", "load-1", ""),
        ("shop-2", "load-ledger", "shop-2"),
        ("shop", "loa", "loa"),
        ("clickstream.events.v1", "clickstream.ledger.v1", ""),
    ],
)
def test_other_topics_must_be_allowed(topic: str, ledger: str, refused: str) -> None:
    """With the operator's credentials, a simulation writes to the stream's or allowed topics."""
    settings = replace(_SETTINGS, allowed_topics=("shop", "load-*"))
    found = _problem({}, settings, output={"topic": topic, "ledgerTopic": ledger})

    assert (found is None) == (not refused)
    if found is not None:
        assert found.reason is Reason.TOPIC_REFUSED
        assert f"does not allow the topic {refused};" in found.message


def test_own_credentials_need_no_list() -> None:
    """What a simulation's own credentials may write, Kafka decides."""
    output = {"topic": "any", "ledgerTopic": "any-ledger"}

    assert _problem({**_SECURED, "bootstrapServers": "kafka:9092"}, output=output) is None


def _with_registry(name: str = "main") -> dict[str, str]:
    topics = {"topic": "shop", "ledgerTopic": "shop-ledger"}
    return {**topics, "encoding": "avro", "registry": name}


def test_registry_must_be_in_the_settings() -> None:
    """A simulation names one of the operator's registries; the others are named in the message."""
    registry = Registry(name="main", url="http://registry:8081")
    settings = replace(_SETTINGS, allowed_topics=("shop*",), registries=(registry,))

    assert _problem({}, settings, output=_with_registry()) is None
    found = _problem({}, settings, output=_with_registry("other"))
    assert found is not None
    assert found.reason is Reason.REGISTRY_REFUSED
    assert "has no registry other (it has: main);" in found.message
    found = _problem({}, replace(settings, registries=()), output=_with_registry())
    assert found is not None
    assert "(it has: none)" in found.message


def test_subject_must_be_an_allowed_topic() -> None:
    """Own credentials for Kafka allow no subject: the worker registers as the operator's user."""
    registry = Registry(name="main", url="http://registry:8081")
    settings = replace(_SETTINGS, registries=(registry,))
    kafka = {**_SECURED, "bootstrapServers": "kafka:9092"}

    found = _problem(kafka, settings, output=_with_registry())
    assert found is not None
    assert found.reason is Reason.TOPIC_REFUSED
    assert "the topic shop; leave out spec.output.registry" in found.message
    allowed = replace(settings, allowed_topics=("shop",))
    assert _problem(kafka, allowed, output=_with_registry()) is None
