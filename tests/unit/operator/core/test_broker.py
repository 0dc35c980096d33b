"""Which Kafka a simulation uses, and the files that reach it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from clickstream_operator.core.broker import Broker
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


def test_secrets_become_optional_volumes() -> None:
    """Each secret is a read-only mount of what a worker reads; a missing one blocks no pod."""
    broker = _broker()

    assert broker.mounts() == [
        {"name": "kafka-ca", "mountPath": "/etc/kafka-ca", "readOnly": True},
        {"name": "kafka-user", "mountPath": "/etc/kafka-user", "readOnly": True},
    ]
    assert broker.volumes() == [
        {
            "name": "kafka-ca",
            "secret": {
                "secretName": "default-ca",
                "optional": True,
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            },
        },
        {
            "name": "kafka-user",
            "secret": {
                "secretName": "default-user",
                "optional": True,
                "items": [
                    {"key": "username", "path": "username"},
                    {"key": "password", "path": "password"},
                ],
            },
        },
    ]
    assert broker.files() == (
        "/etc/kafka-ca is the secret default-ca, /etc/kafka-user is the secret default-user"
    )


def test_absent_secrets_take_no_volume() -> None:
    """Only the secrets that are named are mounted and listed."""
    plain, with_ca = _broker(SETTINGS), _broker(SETTINGS, caSecretRef={"name": "my-ca"})

    assert (plain.mounts(), plain.volumes(), plain.files()) == ([], [], "")
    assert [row["name"] for row in with_ca.mounts()] == ["kafka-ca"]
    assert [row["name"] for row in with_ca.volumes()] == ["kafka-ca"]
    assert with_ca.files() == "/etc/kafka-ca is the secret my-ca"
