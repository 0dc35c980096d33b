"""Which Kafka a simulation uses, and the files that reach it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_operator.core.broker import Broker
from clickstream_operator.core.secret_files import SecretFiles
from clusters import SETTINGS, simulation

if TYPE_CHECKING:
    from clickstream_operator.settings import Settings

_SECURED = replace(
    SETTINGS,
    bootstrap_servers="default:9092",
    credentials_secret="default-user",  # noqa: S106  a secret's name
    ca_secret="default-ca",  # noqa: S106  same
)


def _broker(settings: Settings = _SECURED, **kafka: object) -> Broker:
    return Broker(simulation(kafka=kafka).spec.kafka, settings)


def _parts(broker: Broker) -> tuple[str, str, str, str]:
    return broker.servers, broker.cluster, broker.credentials, broker.authority


def test_settings_are_the_default() -> None:
    """A simulation that names no Kafka uses the operator's, with the operator's secrets."""
    assert _parts(_broker()) == ("default:9092", "", "default-user", "default-ca")
    assert _parts(_broker(SETTINGS)) == ("kafka:9092", "", "", "")


def test_own_secrets_replace_defaults() -> None:
    """Secrets that the simulation names come before the operator's."""
    broker = _broker(credentialsSecretRef={"name": "mine"}, caSecretRef={"name": "my-ca"})

    assert _parts(broker) == ("default:9092", "", "mine", "my-ca")


def test_cluster_reference_names_its_listener() -> None:
    """A Strimzi cluster is reached by its TLS listener and checked against the cluster's CA."""
    broker = _broker(clusterRef={"name": "clicks"})

    assert _parts(broker) == (
        "clicks-kafka-bootstrap:9093", "clicks", "default-user", "clicks-cluster-ca-cert",
    )  # fmt: skip


def test_cluster_reference_keeps_own_secrets() -> None:
    """Secrets beside a cluster reference come before its conventional ones."""
    broker = _broker(
        clusterRef={"name": "clicks"},
        credentialsSecretRef={"name": "mine"},
        caSecretRef={"name": "my-ca"},
    )

    assert _parts(broker) == ("clicks-kafka-bootstrap:9093", "clicks", "mine", "my-ca")


def test_foreign_servers_get_no_defaults() -> None:
    """The operator's credentials never go to servers that the simulation names."""
    own = _broker(bootstrapServers="elsewhere:9092", caSecretRef={"name": "my-ca"})

    assert _parts(_broker(bootstrapServers="elsewhere:9092")) == ("elsewhere:9092", "", "", "")
    assert _parts(own) == ("elsewhere:9092", "", "", "my-ca")


def test_ports_are_sorted_and_unique() -> None:
    """Every port of the servers is named once, in ascending order."""
    assert _broker(bootstrapServers="a:9093,b:9092,c:9093").ports() == [9_092, 9_093]


def _named(*, has_user: bool, has_authority: bool) -> Broker:
    references = {"credentialsSecretRef": has_user, "caSecretRef": has_authority}
    kafka = {name: {"name": name.lower()} for name, is_given in references.items() if is_given}
    return _broker(SETTINGS, **kafka)


@pytest.mark.parametrize(
    ("has_user", "has_authority", "protocol"),
    [
        (False, False, "PLAINTEXT"),
        (False, True, "SSL"),
        (True, False, "SASL_PLAINTEXT"),
        (True, True, "SASL_SSL"),
    ],
)
def test_secrets_choose_the_protocol(*, has_user: bool, has_authority: bool, protocol: str) -> None:
    """Credentials mean SASL, an authority means TLS, in all four combinations."""
    environment = _named(has_user=has_user, has_authority=has_authority).environment("PLAIN")

    authority = {"CA_FILE": "/etc/kafka-ca/ca.crt"} if has_authority else {}
    user = {
        "USERNAME": "credentialssecretref",
        "USERNAME_FILE": "/etc/kafka-user/username",
        "PASSWORD_FILE": "/etc/kafka-user/password",
        "SASL_MECHANISM": "PLAIN",
    }
    assert environment == {
        "SECURITY_PROTOCOL": protocol, **authority, **(user if has_user else {}),
    }  # fmt: skip


def test_secrets_have_what_a_worker_reads() -> None:
    """Of each named secret, the worker gets what it reads; a missing name is no secret."""
    user = SecretFiles("kafka-user", "default-user", ("username", "password"))

    assert _broker().secrets() == (SecretFiles("kafka-ca", "default-ca", ("ca.crt",)), user)
    assert _broker(SETTINGS).secrets() == ()
    (named,) = _broker(SETTINGS, caSecretRef={"name": "my-ca"}).secrets()
    assert (named.volume, named.secret) == ("kafka-ca", "my-ca")
