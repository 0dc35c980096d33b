"""Settings: an invalid variable is named, with its value and the allowed values."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_generator.settings import PREFIX, Settings, settings_from


def _environment(**more: str) -> dict[str, str]:
    base = {"SIMULATION_FILE": __file__, "BOOTSTRAP_SERVERS": "localhost:9092"}
    return {PREFIX + name: value for name, value in (base | more).items()}


def test_defaults_hold() -> None:
    """Only where to send and what to simulate must be given; an empty variable is absent."""
    settings = settings_from(_environment(SHARDS=""))

    assert PREFIX == "CLICKSTREAM_GENERATOR_"
    assert settings == Settings(simulation_file=Path(__file__), bootstrap_servers="localhost:9092")
    assert (settings.metrics_host, settings.metrics_port) == ("127.0.0.1", 9_401)
    assert (settings.on_stop, settings.on_end) == ("end", "exit")
    assert (settings.snapshot_seconds, settings.drain_seconds) == (10.0, 25.0)
    assert settings.queue_records == 200_000
    assert (settings.security_protocol, settings.sasl_mechanism) == ("PLAINTEXT", "SCRAM-SHA-512")
    assert (settings.run_id, settings.start_time, settings.shards) == (None, None, None)
    assert (settings.ca_file, settings.username, settings.password_file) == (None, None, None)
    assert settings.username_file is None
    assert (settings.registry, settings.registry_no_register) == (None, False)


@pytest.mark.parametrize("name", ["SIMULATION_FILE", "BOOTSTRAP_SERVERS"])
def test_required_variable_is_missed(name: str) -> None:
    """Without the simulation or Kafka's addresses there is nothing to run."""
    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} is not set"):
        settings_from(_environment(**{name: ""}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("SHARDS", "3-1"), ("SHARDS", "a"), ("SHARDS", "4096"), ("SHARDS", "1-4096"), ("SHARDS", "1,"),
     ("SHARDS", "-1"), ("METRICS_PORT", "0"), ("METRICS_PORT", "65536"), ("METRICS_PORT", "x"),
     ("RUN_ID", "7"), ("SIMULATION_FILE", "/nowhere"), ("METRIC_PORT", "1"),
     ("SECURITY_PROTOCOL", "TELNET"), ("DRAIN_SECONDS", "nan"), ("DRAIN_SECONDS", "0.09"),
     ("DRAIN_SECONDS", "3601"), ("SNAPSHOT_SECONDS", "0.9"), ("SNAPSHOT_SECONDS", "3601"),
     ("QUEUE_RECORDS", "999"), ("QUEUE_RECORDS", "10000001"), ("ON_STOP", "exit"),
     ("ON_END", "end"), ("SASL_MECHANISM", "GSSAPI"), ("CA_FILE", "/nowhere"),
     ("REGISTRY_USERNAME_FILE", "/nowhere"), ("REGISTRY_PASSWORD_FILE", "/nowhere"),
     ("REGISTRY_CA_FILE", "/nowhere"), ("REGISTRY_NO_REGISTER", "1"),
     ("PASSWORD_FILE", "/nowhere"), ("START_TIME", "soon"),
     ("START_TIME", "2026-11-27T08:00:00")],
)  # fmt: skip
def test_wrong_variable_is_refused(name: str, value: str) -> None:
    """The text names the variable; an unknown one is an error, not a default."""
    with pytest.raises(SettingsInvalid) as caught:
        settings_from(_environment(**{name: value}))

    assert (caught.value.name, caught.value.value) == (PREFIX + name, value)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("METRICS_PORT", ("1", "65535")),
        ("SNAPSHOT_SECONDS", ("1", "3600")),
        ("DRAIN_SECONDS", ("0.1", "3600")),
        ("QUEUE_RECORDS", ("1000", "10000000")),
        ("ON_STOP", ("end", "pause")),
        ("ON_END", ("exit", "wait")),
        ("SECURITY_PROTOCOL", ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")),
        ("SASL_MECHANISM", ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")),
    ],
)
def test_allowed_values_are_taken(name: str, values: tuple[str, ...]) -> None:
    """Bounds are included, and every choice is taken."""
    for value in values:
        found = getattr(settings_from(_environment(**{name: value})), name.lower())
        assert type(found)(value) == found


@pytest.mark.parametrize(
    ("text", "shards"),
    [
        ("0-2,7", (0, 1, 2, 7)),
        ("7, 0-2", (0, 1, 2, 7)),
        ("3", (3,)),
        ("3-3,3", (3,)),
        ("4095", (4_095,)),
    ],
)
def test_shards_are_numbers_and_ranges(text: str, shards: tuple[int, ...]) -> None:
    """Numbers and ranges are joined, sorted, and each number once."""
    assert settings_from(_environment(SHARDS=text)).shards == shards


def test_run_and_start_are_read() -> None:
    """A run is a UUID, and its start a moment with its zone."""
    run_id = "00000000-0000-4000-8000-000000000007"

    settings = settings_from(_environment(RUN_ID=run_id, START_TIME="2026-11-27T09:00:00+01:00"))

    assert settings.run_id == UUID(run_id)
    assert settings.start_time == 1_795_766_400.0


def test_missing_username_file_is_taken() -> None:
    """The file with the user's name may appear later; its path becomes absolute."""
    settings = settings_from(_environment(USERNAME_FILE="nowhere", USERNAME="shop"))

    assert settings.username_file == Path.cwd() / "nowhere"
    assert settings.username == "shop"
