"""Which Kafka a simulation's events go to, and what a pod needs to reach it.

Owns the order in which resource and operator are asked, and how credentials come into a pod:
as files. It does not know what else is in the pod.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickstream_contract.simulation import KafkaTarget

    from clickstream_operator.core.kinds import Object
    from clickstream_operator.settings import Settings

__all__ = ["Broker"]

_TLS_PORT = 9093
"""Where Strimzi's internal listener with TLS is by convention."""
_KEYS = {"kafka-ca": ("ca.crt",), "kafka-user": ("username", "password")}
"""What a worker reads of each secret, by the volume's name."""


class Broker:
    """Which Kafka a simulation's events go to, and with what.

    Args:
        target: What the simulation says.
        settings: What holds where it says nothing.

    Attributes:
        servers: ``host:port``, separated by commas; empty if nobody names one.
        cluster: The Strimzi cluster's name, if it is one.
        credentials: Secret with who to be.
        authority: Secret with what the broker's certificate is checked against.

    A secret of the operator's settings that is missing keeps no pod from starting: the worker
    says what it misses.
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
        """Return the ports to let out."""
        return sorted({int(server.rpartition(":")[2]) for server in self.servers.split(",")})

    def environment(self, mechanism: str) -> dict[str, str]:
        """Return the generator's settings, with this mechanism of SASL if there is a user."""
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
            # A Strimzi user's secret holds no username: it is the secret's own name.
            values["USERNAME"] = self.credentials
            values["USERNAME_FILE"] = "/etc/kafka-user/username"
            values["PASSWORD_FILE"] = "/etc/kafka-user/password"  # noqa: S105  a path
            values["SASL_MECHANISM"] = mechanism
        return values

    def mounts(self) -> list[Object]:
        """Return where the container finds the secrets' files."""
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
                    # Of a secret that holds more the worker gets no more.
                    "items": [{"key": key, "path": key} for key in _KEYS[name]],
                },
            }
            for name, secret in self._secrets()
            if secret
        ]

    def files(self) -> str:
        """Say in words which secrets the worker's files come from; empty if from none."""
        return ", ".join(
            f"/etc/{name} is the secret {secret}" for name, secret in self._secrets() if secret
        )

    def _secrets(self) -> tuple[tuple[str, str], ...]:
        return (("kafka-ca", self.authority), ("kafka-user", self.credentials))
