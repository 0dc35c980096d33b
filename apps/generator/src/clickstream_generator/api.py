"""What other packages use of the generator: simulations, Kafka's settings, schemas, threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_generator.compute_threads import compute_in_one_thread
from clickstream_generator.shell.kafka_target import read_client_file
from clickstream_generator.shell.simulation_source import Overrides, read_simulation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clickstream_generator.core.registered_schema import RegisteredSchema

__all__ = [
    "Overrides",
    "compute_in_one_thread",
    "read_client_file",
    "read_simulation",
    "schema_reader",
]


def schema_reader(
    url: str,
    username: str | None,
    password_file: Path | None,
    ca_file: Path | None,
    setting: Callable[[str], str],
) -> Callable[[int], RegisteredSchema | None]:
    """Return what reads a schema of a registry by its number; only this loads an HTTP client.

    It returns ``None`` for a number that the registry does not have, and raises ``RegistryRefused``
    if the registry does not answer.

    Args:
        url: Its address.
        username: The user's name; ``None`` without one.
        password_file: File with the user's password.
        ca_file: CA certificates that verify the registry's certificate; the system's if absent.
        setting: Returns the name of the setting for an option such as ``--registry``, for errors.

    Raises:
        SimulationInvalid: The address is invalid.
    """
    from clickstream_generator.shell.registry import Registry  # noqa: PLC0415

    registry = Registry(url, username, password_file, ca_file, setting)
    registry.check_url()
    return registry.schema
