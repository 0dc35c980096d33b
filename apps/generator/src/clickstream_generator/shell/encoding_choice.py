"""The options ``--encoding`` and ``--registry``: which encoding, and which schema of a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import BARE_ENCODINGS, Encoding
from clickstream_contract.schemas import RECORD_NAME, SCHEMA_FILES, schema_text

from clickstream_generator.core.encodings import encoding_of, registry_header

if TYPE_CHECKING:
    from collections.abc import Collection

    from clickstream_generator.core.encoding import Encoder
    from clickstream_generator.core.encodings import Encoding as RunEncoding
    from clickstream_generator.shell.registry import Registry

__all__ = ["EncodingChoice", "EncodingOptions", "printed_schema"]

_SUBJECTS = {
    "topic": "{topic}-value",
    "record": RECORD_NAME,
    "topic-record": f"{{topic}}-{RECORD_NAME}",
}
"""The subject of a schema, by the name in ``--subject-strategy``."""


@dataclass(frozen=True)
class EncodingChoice:
    """The encoding of a run's records.

    Attributes:
        name: The encoding.
        registry: The registry of the schema; ``None`` for records without a header.
        subject: The schema's subject in the registry; ``{topic}`` is the topic for events.
        is_registering: Whether to register the schema.
    """

    name: str = Encoding.JSON.value
    registry: Registry | None = None
    subject: str = ""
    is_registering: bool = True

    def header(self, topic: str) -> bytes:
        """Return the first bytes of every record; asks the registry if there is one.

        Args:
            topic: The topic for events.

        Raises:
            RegistryRefused: The registry has no number for the schema.
        """
        if self.registry is None:
            return b""
        number = self.registry.schema_id(
            self.subject.format(topic=topic), self.name, is_registering=self.is_registering
        )
        return registry_header(self.name, number)

    def begin(self, source: Encoder, header: bytes) -> RunEncoding:
        """Return the encoding of a run's events.

        Args:
            source: The run's JSON encoder.
            header: The first bytes of every record.
        """
        return encoding_of(self.name, source, header)


@dataclass(frozen=True)
class EncodingOptions:
    """The options of a command for the encoding.

    Attributes:
        name: The value of ``--encoding``; the simulation's encoding if absent.
        registry: The registry, if one is given.
        strategy: The value of ``--subject-strategy``.
        is_registering: Whether ``--registry-no-register`` is absent.
    """

    name: str | None = None
    registry: Registry | None = None
    strategy: str = "topic"
    is_registering: bool = True

    def choice(self, default: str) -> EncodingChoice:
        """Return the encoding of a run.

        Args:
            default: The encoding in the simulation's ``spec.output``.

        Raises:
            SimulationInvalid: An option has another value, or options do not fit together.
        """
        name = str(self.name or default)
        _check_known("--encoding", name, [*Encoding])
        _check_known("--subject-strategy", self.strategy, _SUBJECTS)
        if self.registry is not None:
            _check_url(self.registry.url)
            if name == Encoding.JSON:
                raise SimulationInvalid(
                    "--registry",
                    self.registry.url,
                    f"{Encoding.JSON} has no schema: add --encoding {Encoding.JSON_SCHEMA}",
                )
        elif name not in BARE_ENCODINGS:
            raise SimulationInvalid(
                "--encoding",
                name,
                f"it takes a registry: add --registry, or choose {Encoding.JSON}",
            )
        return EncodingChoice(name, self.registry, _SUBJECTS[self.strategy], self.is_registering)


def printed_schema(name: str) -> str:
    """Return the event's schema of an encoding, as text.

    Raises:
        SimulationInvalid: The encoding has no schema.
    """
    _check_known("--encoding", name, SCHEMA_FILES)
    return schema_text(name)


def _check_known(option: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise SimulationInvalid(option, value, f"it must be one of {', '.join(known)}")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SimulationInvalid("--registry", url, "it must be a URL, such as http://HOST:8081")
    if parts.username is not None:
        # Do not show the URL: it holds a password.
        raise SimulationInvalid(
            "--registry",
            None,
            "it must be a URL without a user; use --registry-username and --registry-password-file",
        )
