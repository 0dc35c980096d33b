"""A schema registry that simulations may name, and what a pod needs to reach it.

The registries are in the operator's settings, with address and secrets. A simulation only names
one, so its author can send neither requests nor credentials to another server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self
from urllib.parse import urlsplit

from clickstream_contract.naming import DNS_LABEL, HOST, PORT
from clickstream_contract.parts import Part, refuse
from pydantic import Field, model_validator

from clickstream_operator.core.secret_files import SecretFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickstream_contract.output import EventOutput

__all__ = ["Registry", "named_registry"]

_PORTS = {"http": 80, "https": 443}


_SECRETS_NAME = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"


class Registry(Part):
    """A schema registry.

    Attributes:
        name: The name in ``spec.output.registry``.
        url: The address, without a user.
        ca_secret: Secret with ``ca.crt``; if empty, workers trust public authorities.
        credentials_secret: Secret with ``username`` and ``password``; empty without a user.
        is_registering: Whether workers register the schema, or only look it up.
    """

    name: Annotated[str, Field(pattern=DNS_LABEL)]
    url: Annotated[str, Field(pattern=rf"^https?://{HOST}(:{PORT})?(/[A-Za-z0-9._~-]+)*/?$")]
    ca_secret: Annotated[str, Field(pattern=_SECRETS_NAME)] = ""
    credentials_secret: Annotated[str, Field(pattern=_SECRETS_NAME)] = ""
    is_registering: Annotated[bool, Field(alias="register")] = True

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.credentials_secret and not self.url.startswith("https:"):
            raise refuse("url", self.url, "credentialsSecret needs a url with https")
        return self

    def port(self) -> int:
        """Return the port that the NetworkPolicy opens."""
        parts = urlsplit(self.url)
        return parts.port or _PORTS[parts.scheme]

    def environment(self) -> dict[str, str]:
        """Return the generator's settings for the registry."""
        values = {"REGISTRY": self.url}
        if not self.is_registering:
            values["REGISTRY_NO_REGISTER"] = "true"
        if self.ca_secret:
            values["REGISTRY_CA_FILE"] = "/etc/registry-ca/ca.crt"
        if self.credentials_secret:
            values["REGISTRY_USERNAME_FILE"] = "/etc/registry-user/username"
            values["REGISTRY_PASSWORD_FILE"] = "/etc/registry-user/password"  # noqa: S105  a path
        return values

    def secrets(self) -> tuple[SecretFiles, ...]:
        """Return the secrets that the worker reads."""
        rows = (
            SecretFiles("registry-ca", self.ca_secret, ("ca.crt",)),
            SecretFiles("registry-user", self.credentials_secret, ("username", "password")),
        )
        return tuple(row for row in rows if row.secret)


def named_registry(output: EventOutput, registries: Iterable[Registry]) -> Registry | None:
    """Return the registry that an output names; ``None`` if it names none, or an unknown one."""
    return next((row for row in registries if row.name == output.registry), None)
