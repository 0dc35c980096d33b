"""The Kafka that receives a simulation's events, and what a pod needs to reach it.

Owns the precedence of the resource over the operator's settings. A pod gets credentials as files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickstream_contract.simulation import KafkaTarget

    from clickstream_operator.core.kinds import Object
    from clickstream_operator.settings import Settings

__all__ = ["Broker"]

_TLS_PORT = 9093
"""The port of Strimzi's internal listener with TLS, by convention."""
_KEYS = {"kafka-ca": ("ca.crt",), "kafka-user": ("username", "password")}
"""The keys that a worker reads of each secret, by the volume's name."""


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

    A missing secret of the operator's settings does not stop a pod from starting: the worker
    reports the missing file.
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

    def mounts(self) -> list[Object]:
        """Return the paths at which the container mounts the secrets."""
        return [
            {"name": name, "mountPath": f"/etc/{name}", "readOnly": True}
            for name, secret in self._secrets()
            if secret
        ]

    def volumes(self) -> list[Object]:
        """Return the secrets as volumes."""
        return [
            {
                "name": name,
                "secret": {
                    "secretName": secret,
                    "optional": True,
                    # The worker gets only these keys of the secret.
                    "items": [{"key": key, "path": key} for key in _KEYS[name]],
                },
            }
            for name, secret in self._secrets()
            if secret
        ]

    def files(self) -> str:
        """Return a text that names the secrets of the worker's files; empty without secrets."""
        return ", ".join(
            f"/etc/{name} is the secret {secret}" for name, secret in self._secrets() if secret
        )

    def _secrets(self) -> tuple[tuple[str, str], ...]:
        return (("kafka-ca", self.authority), ("kafka-user", self.credentials))
