"""The encoding of a run's records, and the schema of a registry: by options, or by settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.output import Encoding
from clickstream_contract.schemas import RECORD_NAME, SCHEMA_FILES, schema_text

from clickstream_generator.core.encodings import encoding_of, registry_header
from clickstream_generator.settings import PREFIX
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from clickstream_contract.output import EventOutput

    from clickstream_generator.core.encoding import Encoder
    from clickstream_generator.core.encodings import Encoding as RunEncoding
    from clickstream_generator.settings import Settings
    from clickstream_generator.shell.registry import Registry

__all__ = ["EncodingChoice", "EncodingOptions", "printed_schema", "worker_encoding"]

_NAME_BYTES = 1_000
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

    def choice(self, output: EventOutput) -> EncodingChoice:
        """Return the encoding of a run.

        Args:
            output: The simulation's output, whose encoding is the default.

        Raises:
            SimulationInvalid: An option has another value, or options do not fit together.
        """
        name = str(self.name or output.encoding)
        if self.name is None and self.registry is None and output.registry is not None:
            raise SimulationInvalid(
                "spec.output.registry",
                output.registry,
                "it is a name without an address: add --registry URL, or choose an --encoding "
                "without a registry",
            )
        _check_known("--encoding", name, [*Encoding])
        _check_known("--subject-strategy", self.strategy, _SUBJECTS)
        if self.registry is not None:
            self.registry.check_url()
            if name == Encoding.JSON:
                raise SimulationInvalid(
                    "--registry",
                    self.registry.url,
                    f"{Encoding.JSON} has no schema: add --encoding {Encoding.JSON_SCHEMA}",
                )
        elif name == Encoding.JSON_SCHEMA:
            raise SimulationInvalid(
                "--encoding",
                name,
                f"it takes a registry: add --registry, or choose {Encoding.JSON}",
            )
        return EncodingChoice(name, self.registry, _SUBJECTS[self.strategy], self.is_registering)


def worker_encoding(output: EventOutput, settings: Settings) -> EncodingChoice:
    """Return the encoding of a worker's records; the settings say where a named registry is.

    Raises:
        SettingsInvalid: The output names a registry, and the settings have no address.
        SimulationInvalid: The registry's settings cannot be used.
    """
    if output.registry is None:
        return EncodingChoice(output.encoding)
    # Only runs with a registry load an HTTP client.
    from clickstream_generator.shell.registry import Registry, variable_name  # noqa: PLC0415

    if settings.registry is None:
        allowed = f"the URL of the schema registry {output.registry} of spec.output"
        raise SettingsInvalid(f"{PREFIX}REGISTRY", None, allowed)
    username = settings.registry_username
    if settings.registry_username_file is not None:
        name = f"{PREFIX}REGISTRY_USERNAME_FILE"
        username = read_text(name, settings.registry_username_file, _NAME_BYTES).strip()
    registry = Registry(
        settings.registry,
        username,
        settings.registry_password_file,
        settings.registry_ca_file,
        setting=variable_name,
    )
    return EncodingOptions(
        registry=registry, is_registering=not settings.registry_no_register
    ).choice(output)


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
