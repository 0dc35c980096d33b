"""Whether a simulation may send its events and its credentials where it says.

Owns the three rules: servers are those of the operator's settings or of a Strimzi cluster beside
the simulation, credentials need TLS, and a secret that a simulation names carries a label with
which its owner agrees. A person who may only write simulations cannot send a secret elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clickstream_operator.core.conditions import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clickstream_contract.simulation import KafkaTarget

    from clickstream_operator.core.broker import Broker
    from clickstream_operator.settings import Settings

__all__ = ["CREDENTIALS_LABEL", "destination_problem", "named_secret"]

CREDENTIALS_LABEL = "clickstream.dev/credentials"
"""On a secret, with the value ``true``: simulations of its namespace may use it for Kafka."""


def named_secret(resource: Mapping[str, Any]) -> str:
    """Return the secret that a simulation names for its credentials; empty if it names none."""
    value: object = resource.get("spec")
    for key in ("kafka", "credentialsSecretRef", "name"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def destination_problem(
    target: KafkaTarget,
    broker: Broker,
    settings: Settings,
    secrets: Mapping[str, Mapping[str, str]],
) -> Finding | None:
    """Return why a simulation may not send, or nothing.

    Args:
        target: What the simulation says.
        broker: What comes of that and of the settings.
        settings: The operator's.
        secrets: Labels by the secret's name; one that does not exist is missing.
    """
    if target.bootstrap_servers:
        allowed = (*settings.bootstrap_servers.lower().split(","), *settings.allowed_servers)
        for server in target.bootstrap_servers.split(","):
            if not any(_matches(server.lower(), rule.lower()) for rule in allowed):
                return Finding(
                    "ServersRefused",
                    f"spec.kafka.bootstrapServers: this operator does not allow {server}; name "
                    "spec.kafka.clusterRef, or ask the operator's administrator to add the server "
                    "to operator.allowedServers",
                )
    if broker.credentials and not broker.authority and not settings.sasl_without_tls:
        return Finding(
            "TlsRequired",
            f"spec.kafka: the credentials of the secret {broker.credentials} would go to "
            f"{broker.servers} without TLS; name a secret with ca.crt in spec.kafka.caSecretRef, "
            "or ask the operator's administrator to set kafka.saslWithoutTls",
        )
    if target.credentials_secret_ref is None:
        return None
    name = target.credentials_secret_ref.name
    if name not in secrets:
        return Finding(
            "CredentialsRefused",
            f"spec.kafka.credentialsSecretRef: there is no secret {name} in this namespace; make "
            f'it with username, password and the label {CREDENTIALS_LABEL}: "true"',
        )
    if secrets[name].get(CREDENTIALS_LABEL) != "true":
        return Finding(
            "CredentialsRefused",
            f"spec.kafka.credentialsSecretRef: the secret {name} has no label "
            f'{CREDENTIALS_LABEL}: "true"; its owner sets the label if simulations may use it',
        )
    return None


def _matches(server: str, rule: str) -> bool:
    """Return whether a rule such as ``kafka:9092``, ``*.kafka.svc:9093`` or ``*:9092`` fits."""
    host, _, port = server.rpartition(":")
    wanted, _, wanted_port = rule.rpartition(":")
    if port != wanted_port:
        return False
    if wanted == "*":
        return True
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else host == wanted
