"""The schema registry: registers or looks up the schema of a subject, and reads a schema.

Owns the calls of Confluent's API that a producer or a consumer needs, which other registries also
have: https://docs.confluent.io/platform/current/schema-registry/develop/api.html.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import httpx
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Encoding
from clickstream_contract.schemas import schema_text

from clickstream_generator.core.registered_schema import RegisteredSchema
from clickstream_generator.errors import RegistryRefused
from clickstream_generator.settings import PREFIX
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Registry", "variable_name"]

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
_REFERENCE: Final = {"name", "subject", "version"}
_MOST_REFERENCES: Final = 100
"""Other schemas that one schema may need."""
_MOST_ANSWER_BYTES: Final = 4 << 20
"""Of an answer, which is not compressed: a few compressed bytes can become many."""
_MOST_WORDS: Final = 300
"""Characters of a registry's message that are shown."""


def variable_name(option: str) -> str:
    """Return the environment variable that a worker has instead of an option."""
    return PREFIX + option.lstrip("-").upper().replace("-", "_")


@dataclass(frozen=True)
class Registry:
    """A schema registry.

    Attributes:
        url: Its address, without the path of the API's calls.
        username: The user's name; ``None`` without one.
        password_file: File with the user's password.
        ca_file: CA certificates that verify the registry's certificate; the system's if absent.
        setting: Returns the name of the setting for an option, for errors.
        transport: Replaces the network, for tests.
    """

    url: str
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    setting: Callable[[str], str] = str
    transport: httpx.BaseTransport | None = field(default=None, repr=False)

    def check_url(self) -> None:
        """Raise ``SimulationInvalid`` unless the address is a URL without a user."""
        option, parts = self.setting("--registry"), urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            allowed = "it must be a URL, such as http://HOST:8081"
            raise SimulationInvalid(option, self.url, allowed)
        if parts.username is not None:
            # Do not show the URL: it holds a password.
            user, password = (
                self.setting(f"--registry-{name}") for name in ("username", "password-file")
            )
            allowed = f"it must be a URL without a user; use {user} and {password}"
            raise SimulationInvalid(option, None, allowed)

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
        status, content = self._ask("POST", path, body)
        if httpx.codes.is_success(status) and isinstance(content.get("id"), int):
            return int(content["id"])
        raise self._refusal(status, content, subject)

    def schema(self, number: int) -> RegisteredSchema | None:
        """Return the schema with a number; ``None`` if the registry has no such number.

        Raises:
            RegistryRefused: The registry does not answer, or refuses.
            SimulationInvalid: An option is invalid.
        """
        content = self._read(f"/schemas/ids/{number}", f"the schema {number}")
        if content is None:
            return None
        references: dict[str, str] = {}
        self._add_references(content, references, ())
        return RegisteredSchema(content.get("schemaType", "AVRO"), content["schema"], references)

    def _add_references(
        self, content: Mapping[str, Any], known: dict[str, str], outer: tuple[str, ...]
    ) -> None:
        """Add the schemas that a schema needs, inner ones first.

        Args:
            content: The registry's answer with the schema.
            known: The schemas that were read, by their names.
            outer: The names of the schemas that led to this one.
        """
        remedy = "register it again, or name a file with the schema"
        rows = content.get("references") or []
        for row in rows if isinstance(rows, list) else [rows]:
            if not (isinstance(row, dict) and row.keys() >= _REFERENCE):
                found = f"has a reference without {', '.join(sorted(_REFERENCE))}"
                raise RegistryRefused(self.url, found, remedy)
            name = str(row["name"])
            if name in known:
                continue
            if name in outer or len(known) + len(outer) >= _MOST_REFERENCES:
                found = f"has a schema {name!r} that needs itself, or more than {_MOST_REFERENCES}"
                raise RegistryRefused(self.url, found, remedy)
            place, version = (quote(str(row[key]), safe="") for key in ("subject", "version"))
            inner = self._read(f"/subjects/{place}/versions/{version}", str(row["subject"]))
            if inner is None:
                raise RegistryRefused(self.url, f"has lost the schema {name!r}", remedy)
            self._add_references(inner, known, (*outer, name))
            known[name] = inner["schema"]

    def _read(self, path: str, what: str) -> dict[str, Any] | None:
        """Return the schema at a path with its references; ``None`` if it is not there."""
        status, content = self._ask("GET", path)
        if httpx.codes.is_success(status) and isinstance(content.get("schema"), str):
            return content
        if content.get("error_code") in {_NO_SUBJECT, _NO_VERSION, _NO_SCHEMA}:
            return None
        raise self._refusal(status, content, what)

    def _ask(
        self, method: str, path: str, body: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Return an answer's status and its JSON object; an empty one for anything else."""
        try:
            with (
                httpx.Client(
                    verify=self._trust(),
                    auth=self._login(),
                    timeout=_SECONDS,
                    transport=self.transport,
                    headers={
                        "accept": _MEDIA_TYPE,
                        "accept-encoding": "identity",
                        "content-type": _MEDIA_TYPE,
                    },
                ) as client,
                client.stream(method, self.url.rstrip("/") + path, json=body) as answer,
            ):
                text = b""
                for part in answer.iter_raw():
                    text += part
                    if len(text) > _MOST_ANSWER_BYTES:
                        found = f"answers with more than {_MOST_ANSWER_BYTES:,} bytes"
                        remedy = f"check {self.setting('--registry')}"
                        raise RegistryRefused(self.url, found, remedy)
                return answer.status_code, _object(text)
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


def _object(text: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
