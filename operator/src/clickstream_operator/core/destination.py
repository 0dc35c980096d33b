"""The rules for the Kafka, the topics, the registry and the database that a simulation may use.

There are six. The servers are in the operator's settings, or belong to a Strimzi cluster in the
simulation's namespace. The topics are the stream's, or in the operator's settings, or the
simulation has other credentials than the operator's. The registry is in the operator's settings;
its subject has the topic's name, so the topic is there too. A verification's database is in the
operator's settings. Credentials need TLS. The owner of a secret labels it before a simulation may
use it. So a person who may only write simulations cannot
send a secret to another server, or use the operator's rights for another topic or subject.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clickstream_operator.core.conditions import Finding
from clickstream_operator.core.reasons import Reason
from clickstream_operator.core.registry import named_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from clickstream_contract.parts import NameReference
    from clickstream_contract.simulation import KafkaTarget, SimulationSpec
    from clickstream_contract.verification import Verification

    from clickstream_operator.core.broker import Broker
    from clickstream_operator.settings import Settings

__all__ = ["CREDENTIALS_LABEL", "database_problem", "destination_problem", "named_secrets"]

CREDENTIALS_LABEL = "clickstream.dev/credentials"
"""A secret's label; with the value ``true``, simulations of its namespace may use the secret."""

_OWN_CREDENTIALS = "name credentials for it in spec.kafka.credentialsSecretRef"
_NO_REGISTRY = "leave out spec.output.registry, whose subject has the topic's name"


_CREDENTIALS = (("kafka",), ("verification", "database"))
"""The parts of a spec that may name a secret with credentials."""


def named_secrets(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the secrets with credentials that a simulation names."""
    found = []
    for path in _CREDENTIALS:
        value: object = resource.get("spec")
        for key in (*path, "credentialsSecretRef", "name"):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            found.append(value)
    return tuple(dict.fromkeys(found))


def destination_problem(
    spec: SimulationSpec,
    broker: Broker,
    settings: Settings,
    secrets: Mapping[str, Mapping[str, str]],
) -> Finding | None:
    """Return why a simulation may not send, or ``None``.

    Args:
        spec: The simulation's specification.
        broker: The Kafka that results from it and the settings.
        settings: The operator's settings.
        secrets: Labels by the secret's name; a secret that does not exist is missing.
    """
    return (
        _server_problem(spec.kafka, settings)
        or _topic_problem(spec, settings)
        or _registry_problem(spec, settings)
        or _secrecy_problem(broker, settings)
        or _consent_problem("spec.kafka", spec.kafka.credentials_secret_ref, secrets)
    )


def database_problem(
    asked: Verification, settings: Settings, secrets: Mapping[str, Mapping[str, str]]
) -> Finding | None:
    """Return why a verification may not read the database that the simulation names, or ``None``.

    Args:
        asked: The simulation's ``spec.verification``.
        settings: The operator's settings.
        secrets: As in :func:`destination_problem`.
    """
    path, named = "spec.verification.database", asked.database
    if named is None:
        return None
    server = f"{named.host}:{named.port}".lower()
    own = settings.database.server.lower() if settings.database else ""
    if server != own and not _is_allowed(server, settings.allowed_servers):
        return Finding(
            Reason.DATABASE_REFUSED,
            f"{path}: this operator does not allow {server}; ask the operator's administrator to "
            "add the server to operator.allowedServers",
        )
    if named.ca_secret_ref is None and not settings.sasl_without_tls:
        return Finding(
            Reason.DATABASE_REFUSED,
            f"{path}: the credentials would go to {server} without TLS; name a secret with ca.crt "
            "in caSecretRef, or ask the operator's administrator to set kafka.saslWithoutTls",
        )
    problem = _consent_problem(path, named.credentials_secret_ref, secrets)
    return None if problem is None else replace(problem, reason=Reason.DATABASE_REFUSED)


def _server_problem(target: KafkaTarget, settings: Settings) -> Finding | None:
    """Return why a simulation may not send to these servers, or ``None``."""
    if target.bootstrap_servers:
        allowed = (*settings.bootstrap_servers.split(","), *settings.allowed_servers)
        for server in target.bootstrap_servers.split(","):
            if not _is_allowed(server, allowed):
                return Finding(
                    Reason.SERVERS_REFUSED,
                    f"spec.kafka.bootstrapServers: this operator does not allow {server}; name "
                    "spec.kafka.clusterRef, or ask the operator's administrator to add the server "
                    "to operator.allowedServers",
                )
    return None


def _topic_problem(spec: SimulationSpec, settings: Settings) -> Finding | None:
    """Return why the operator's credentials may not be used for these topics, or ``None``."""
    output = spec.event_output
    if output.is_stored:
        return None
    used: tuple[str, ...]
    if spec.kafka.credentials_secret_ref is None:
        used, remedy = (output.topic, output.ledger_topic), _OWN_CREDENTIALS
    elif output.registry is not None:
        # Kafka decides about the topic, but not about the registry's subject of that name.
        used, remedy = (output.topic,), _NO_REGISTRY
    else:
        return None
    for name in used:
        if not any(
            name.startswith(rule[:-1]) if rule.endswith("*") else name == rule
            for rule in settings.allowed_topics
        ):
            return Finding(
                Reason.TOPIC_REFUSED,
                f"spec.output: this operator does not allow the topic {name}; {remedy}, or ask the "
                "operator's administrator to add the topic to kafka.outputTopics",
            )
    return None


def _registry_problem(spec: SimulationSpec, settings: Settings) -> Finding | None:
    """Return why a simulation may not use this registry, or ``None``."""
    output = spec.event_output
    if output.registry is None or named_registry(output, settings.registries) is not None:
        return None
    known = ", ".join(row.name for row in settings.registries) or "none"
    return Finding(
        Reason.REGISTRY_REFUSED,
        f"spec.output.registry: this operator has no registry {output.registry} (it has: {known}); "
        "name another one, or ask the operator's administrator to add it to registries",
    )


def _secrecy_problem(broker: Broker, settings: Settings) -> Finding | None:
    """Return why credentials may not go to this Kafka, or ``None``."""
    if broker.credentials and not broker.authority and not settings.sasl_without_tls:
        return Finding(
            Reason.TLS_REQUIRED,
            f"spec.kafka: the credentials of the secret {broker.credentials} would go to "
            f"{broker.servers} without TLS; name a secret with ca.crt in spec.kafka.caSecretRef, "
            "or ask the operator's administrator to set kafka.saslWithoutTls",
        )
    return None


def _consent_problem(
    path: str, reference: NameReference | None, secrets: Mapping[str, Mapping[str, str]]
) -> Finding | None:
    """Return why a simulation may not use the secret that it names, or ``None``."""
    if reference is None:
        return None
    name = reference.name
    if name not in secrets:
        return Finding(
            Reason.CREDENTIALS_REFUSED,
            f"{path}.credentialsSecretRef: there is no secret {name} in this namespace; make "
            f'it with username, password and the label {CREDENTIALS_LABEL}: "true"',
        )
    if secrets[name].get(CREDENTIALS_LABEL) != "true":
        return Finding(
            Reason.CREDENTIALS_REFUSED,
            f"{path}.credentialsSecretRef: the secret {name} has no label "
            f'{CREDENTIALS_LABEL}: "true"; its owner sets the label if simulations may use it',
        )
    return None


def _is_allowed(server: str, rules: Iterable[str]) -> bool:
    """Return whether one of the rules allows an address."""
    return any(_matches(server.lower(), rule.lower()) for rule in rules)


def _matches(server: str, rule: str) -> bool:
    """Return whether a rule such as ``kafka:9092``, ``*.kafka.svc:9093`` or ``*:9092`` matches."""
    host, _, port = server.rpartition(":")
    wanted, _, wanted_port = rule.rpartition(":")
    if port != wanted_port:
        return False
    if wanted == "*":
        return True
    return host.endswith(wanted[1:]) if wanted.startswith("*.") else host == wanted
