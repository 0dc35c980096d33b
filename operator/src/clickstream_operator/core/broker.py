"""The Kafka that receives a simulation's events, and what a pod needs to reach it.

Owns the precedence of the resource over the operator's settings. A pod gets credentials as files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_operator.core.secret_files import SecretFiles

if TYPE_CHECKING:
    from clickstream_contract.simulation import KafkaTarget

    from clickstream_operator.settings import Settings

__all__ = ["Broker"]

_TLS_PORT = 9093
"""The port of Strimzi's internal listener with TLS, by convention."""


class Broker:
    """The Kafka that receives a simulation's events, and the secrets for it.

    Args:
        target: The simulation's ``spec.kafka``.
        settings: The operator's settings, for the fields that the simulation leaves out.

    Attributes:
        servers: ``host:port``, separated by commas; empty without any.
        cluster: The Strimzi cluster's name, if it is one.
        credentials: The secret with user name and password.
        authority: The secret with the CA that signs the broker's certificate.
    """

    def __init__(self, target: KafkaTarget, settings: Settings) -> None:
        credentials, authority = target.credentials_secret_ref, target.ca_secret_ref
        self.credentials = credentials.name if credentials else ""
        self.authority = authority.name if authority else ""
        self.cluster = target.cluster_ref.name if target.cluster_ref else ""
        if self.cluster:
            self.servers = f"{self.cluster}-kafka-bootstrap:{_TLS_PORT}"
            self.authority = self.authority or f"{self.cluster}-cluster-ca-cert"
            self.credentials = self.credentials or settings.credentials_secret
        elif target.bootstrap_servers:
            self.servers = target.bootstrap_servers
        else:
            self.servers = settings.bootstrap_servers
            self.credentials = self.credentials or settings.credentials_secret
            self.authority = self.authority or settings.ca_secret

    def ports(self) -> list[int]:
        """Return the ports that the NetworkPolicy opens to Kafka."""
        return sorted({int(server.rpartition(":")[2]) for server in self.servers.split(",")})

    def environment(self, mechanism: str) -> dict[str, str]:
        """Return the generator's settings, with this SASL mechanism if there is a user."""
        protocol = {
            (False, False): "PLAINTEXT",
            (False, True): "SSL",
            (True, False): "SASL_PLAINTEXT",
            (True, True): "SASL_SSL",
        }[bool(self.credentials), bool(self.authority)]
        values = {"SECURITY_PROTOCOL": protocol}
        if self.authority:
            values["CA_FILE"] = "/etc/kafka-ca/ca.crt"
        if self.credentials:
            # A Strimzi user's secret has no username key: the secret's name is the user's name.
            values["USERNAME"] = self.credentials
            values["USERNAME_FILE"] = "/etc/kafka-user/username"
            values["PASSWORD_FILE"] = "/etc/kafka-user/password"  # noqa: S105  a path
            values["SASL_MECHANISM"] = mechanism
        return values

    def secrets(self) -> tuple[SecretFiles, ...]:
        """Return the secrets that the worker reads."""
        rows = (
            SecretFiles("kafka-ca", self.authority, ("ca.crt",)),
            SecretFiles("kafka-user", self.credentials, ("username", "password")),
        )
        return tuple(row for row in rows if row.secret)
