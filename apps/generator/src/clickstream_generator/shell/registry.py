"""The schema registry: registers or looks up the schema of a subject.

Owns the two calls of Confluent's API that a producer needs, which other registries also have:
https://docs.confluent.io/platform/current/schema-registry/develop/api.html.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Encoding
from clickstream_contract.schemas import schema_text

from clickstream_generator.errors import RegistryRefused
from clickstream_generator.settings import PREFIX
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Registry"]

_SECONDS: Final = 15.0
_TYPES: Final[Mapping[str, str]] = {
    Encoding.AVRO: "AVRO",
    Encoding.PROTOBUF: "PROTOBUF",
    Encoding.JSON_SCHEMA: "JSON",
}
_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA = 40401, 40402, 40403
_MOST_BYTES: Final = 1 << 20
"""Of a file with a password or certificates."""
_MOST_WORDS: Final = 300
"""Characters of a registry's message that are shown."""


@dataclass(frozen=True)
class Registry:
    """A schema registry.

    Attributes:
        url: Its address, without the path of the API's calls.
        username: The user's name; ``None`` without one.
        password_file: File with the user's password.
        ca_file: CA certificates that verify the registry's certificate; the system's if absent.
        has_variables: Whether the settings come from variables and not from options, for errors.
        transport: Replaces the network, for tests.
    """

    url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    has_variables: bool = False
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def schema_id(self, subject: str, encoding: str, *, is_registering: bool) -> int:
        """Return the registry's number of the event's schema.

        Args:
            subject: The subject.
            encoding: The encoding; not ``json``.
            is_registering: Whether to register the schema if the subject does not have it.

        Raises:
            RegistryRefused: The registry does not answer, refuses, or does not have the schema.
            SimulationInvalid: An option is invalid.
        """
        path = f"/subjects/{quote(subject, safe='')}" + ("/versions" if is_registering else "")
        body = {"schema": schema_text(encoding), "schemaType": _TYPES[encoding]}
        answer = self._post(path, body)
        content = _content(answer)
        if answer.is_success and isinstance(content.get("id"), int):
            return int(content["id"])
        raise self._refusal(answer.status_code, content, subject)

    def _post(self, path: str, body: Mapping[str, str]) -> httpx.Response:
        try:
            with httpx.Client(
                verify=self._trust(),
                auth=self._login(),
                timeout=_SECONDS,
                transport=self.transport,
                headers={"accept": _MEDIA_TYPE, "content-type": _MEDIA_TYPE},
            ) as client:
                return client.post(self.url.rstrip("/") + path, json=body)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            remedy = (
                f"check {self.setting('--registry')}, and {self.setting('--registry-ca-file')} for "
                "its certificate"
            )
            raise RegistryRefused(self.url, f"does not answer ({reason})", remedy) from None

    def _login(self) -> tuple[str, str] | None:
        if self.username is None:
            return None
        if self.password_file is None:
            return self.username, ""
        option = self.setting("--registry-password-file")
        return self.username, read_text(option, self.password_file, _MOST_BYTES).strip()

    def _trust(self) -> ssl.SSLContext | bool:
        if self.ca_file is None:
            return True
        option = self.setting("--registry-ca-file")
        text = read_text(option, self.ca_file, _MOST_BYTES)
        try:
            # A space, because Python takes the system's certificates for an empty text.
            return ssl.create_default_context(cadata=text or " ")
        except (ssl.SSLError, TypeError, ValueError) as error:
            allowed = f"it must be a file with certificates in PEM ({error})"
            raise SimulationInvalid(option, str(self.ca_file), allowed) from None

    def setting(self, option: str) -> str:
        """Return the name of an option, or that of its variable."""
        if not self.has_variables:
            return option
        return PREFIX + option.lstrip("-").upper().replace("-", "_")

    def _refusal(self, status: int, content: Mapping[str, Any], subject: str) -> RegistryRefused:
        """Return the error for an answer without a schema's number."""
        words = " ".join(str(content.get("message") or f"HTTP {status}").split())[:_MOST_WORDS]
        code = content.get("error_code")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            found = f"refuses the user ({words})"
            remedy = (
                f"check {self.setting('--registry-username')}, "
                f"{self.setting('--registry-password-file')} and the user's rights"
            )
        elif status == HTTPStatus.CONFLICT:
            found = f"refuses the schema of subject {subject} as incompatible ({words})"
            remedy = "send to another topic, or change the subject's compatibility in the registry"
        elif status == HTTPStatus.UNPROCESSABLE_ENTITY:
            found = f"refuses the schema of subject {subject} as invalid ({words})"
            remedy = "check which types of schemas the registry takes"
        elif code == _NO_SUBJECT:
            found, remedy = f"has no subject {subject}", self._registering()
        elif code in {_NO_VERSION, _NO_SCHEMA}:
            found, remedy = f"has another schema for subject {subject}", self._registering()
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            found = f"cannot answer for subject {subject} ({words})"
            remedy = "check the registry's log"
        else:
            found = f"does not answer as a schema registry (HTTP {status})"
            remedy = f"check {self.setting('--registry')}"
        return RegistryRefused(self.url, found, remedy)

    def _registering(self) -> str:
        return (
            "register the schema that `clickstream generate --print-schema` prints, or leave out "
            + self.setting("--registry-no-register")
        )


def _content(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one for anything else."""
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
