"""Settings of the stream: defaults, bounds, and the name of what is wrong."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_streaming.settings import (
    PREFIX,
    DatabaseSettings,
    Settings,
    database_settings_from,
    settings_from,
)
from stream_settings import stream_environment, stream_settings

REQUIRED = ("BOOTSTRAP_SERVERS", "POSTGRES_HOST", "POSTGRES_PASSWORD_FILE", "CHECKPOINT_DIR")


def test_defaults_hold(tmp_path: Path) -> None:
    """With the required variables alone, all other settings have their defaults."""
    settings = stream_settings(tmp_path)

    assert asdict(settings) == {
        "postgres_host": "db",
        "postgres_password_file": tmp_path / "password",
        "postgres_port": 5432,
        "postgres_database": "clickstream",
        "postgres_user": "clickstream_stream",
        "postgres_user_file": None,
        "postgres_sslmode": "prefer",
        "postgres_ca_file": None,
        "bootstrap_servers": "kafka:9092",
        "checkpoint_dir": tmp_path / "checkpoints",
        "security_protocol": "PLAINTEXT",
        "ca_file": None,
        "username_file": None,
        "password_file": None,
        "sasl_mechanism": "SCRAM-SHA-512",
        "jars": "",
        "metrics_host": "127.0.0.1",
        "metrics_port": 9402,
        "events_partitions": 4,
        "trigger_milliseconds": 500,
        "max_offsets_per_trigger": 400_000,
        "master": None,
        "driver_memory": None,
        "driver_java_options": "",
        "watermark_delay_seconds": 900,
        "raw_retention_days": 0,
        "oldest_event_days": 800,
        "rejected_payload_days": 30,
        "rejected_retention_days": 90,
        "detail_retention_days": 90,
        "failpoint": None,
        "failpoint_batch": 0,
    }


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("is_empty", [True, False])
def test_required_variable_is_named(tmp_path: Path, name: str, is_empty: bool) -> None:  # noqa: FBT001  a case
    """A required variable that is missing or empty is named."""
    environment = stream_environment(tmp_path, **{name: ""})
    if not is_empty:
        del environment[PREFIX + name]

    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} is not set"):
        settings_from(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTGRES_SSLMODE", "maybe"), ("SECURITY_PROTOCOL", "TELNET"), ("SASL_MECHANISM", "GSSAPI"),
     ("FAILPOINT", "sometimes"), ("POSTGRES_PASSWORD_FILE", "/nowhere"),
     ("POSTGRES_USER_FILE", "/nowhere"), ("POSTGRES_CA_FILE", "/nowhere"),
     ("CA_FILE", "/nowhere"), ("USERNAME_FILE", "/nowhere"), ("PASSWORD_FILE", "/nowhere"),
     ("POSTGRES_PORT", "x"), ("TRIGER", "1")],
)  # fmt: skip
def test_wrong_variable_is_named(tmp_path: Path, name: str, value: str) -> None:
    """A value that is not allowed, or an unknown variable, is refused by name."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        stream_settings(tmp_path, **{name: value})


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("POSTGRES_PORT", 1, 65_535), ("METRICS_PORT", 1, 65_535), ("EVENTS_PARTITIONS", 0, 10_000),
     ("TRIGGER_MILLISECONDS", 50, 600_000), ("MAX_OFFSETS_PER_TRIGGER", 100, 10_000_000),
     ("WATERMARK_DELAY_SECONDS", 1, 604_800), ("RAW_RETENTION_DAYS", 0, 36_500),
     ("OLDEST_EVENT_DAYS", 1, 3_650), ("REJECTED_PAYLOAD_DAYS", 0, 36_500),
     ("REJECTED_RETENTION_DAYS", 0, 36_500), ("DETAIL_RETENTION_DAYS", 0, 36_500),
     ("FAILPOINT_BATCH", 0, 1_000_000_000)],
)  # fmt: skip
def test_numbers_have_bounds(tmp_path: Path, name: str, low: int, high: int) -> None:
    """A number at a bound is taken; the next one is refused."""
    for number in (low, high):
        settings = stream_settings(tmp_path, **{name: str(number)})
        assert getattr(settings, name.lower()) == number
    for number in (low - 1, high + 1):
        with pytest.raises(SettingsInvalid, match=PREFIX + name):
            stream_settings(tmp_path, **{name: str(number)})


@pytest.mark.parametrize(
    ("name", "values"),
    [("POSTGRES_SSLMODE", "disable allow prefer require verify-ca verify-full"),
     ("SECURITY_PROTOCOL", "PLAINTEXT SSL SASL_PLAINTEXT SASL_SSL"),
     ("SASL_MECHANISM", "SCRAM-SHA-256 SCRAM-SHA-512 PLAIN"),
     ("FAILPOINT", "before_sink_commit after_sink_commit")],
)  # fmt: skip
def test_listed_values_are_taken(tmp_path: Path, name: str, values: str) -> None:
    """Each value of a list is allowed."""
    for value in values.split():
        assert getattr(stream_settings(tmp_path, **{name: value}), name.lower()) == value


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    """Each field has a variable of its name, which gives it another value than its default."""
    file = str(tmp_path / "password")
    values = {
        "POSTGRES_PORT": "1", "POSTGRES_DATABASE": "a", "POSTGRES_USER": "b",
        "POSTGRES_USER_FILE": file, "POSTGRES_SSLMODE": "require", "POSTGRES_CA_FILE": file,
        "SECURITY_PROTOCOL": "SSL", "CA_FILE": file, "USERNAME_FILE": file, "PASSWORD_FILE": file,
        "SASL_MECHANISM": "PLAIN", "JARS": "c", "METRICS_HOST": "d", "METRICS_PORT": "2",
        "EVENTS_PARTITIONS": "3", "TRIGGER_MILLISECONDS": "60", "MAX_OFFSETS_PER_TRIGGER": "200",
        "MASTER": "e", "DRIVER_MEMORY": "f", "DRIVER_JAVA_OPTIONS": "g",
        "WATERMARK_DELAY_SECONDS": "4", "RAW_RETENTION_DAYS": "5", "OLDEST_EVENT_DAYS": "7",
        "REJECTED_PAYLOAD_DAYS": "8", "REJECTED_RETENTION_DAYS": "9", "DETAIL_RETENTION_DAYS": "10",
        "FAILPOINT": "before_sink_commit", "FAILPOINT_BATCH": "6",
    }  # fmt: skip
    stream_environment(tmp_path)

    settings = stream_settings(tmp_path, **values)

    assert {row.name.upper() for row in fields(Settings)} == {*REQUIRED, *values}
    for name, value in values.items():
        assert str(getattr(settings, name.lower())) == value


def test_relative_checkpoint_becomes_absolute(tmp_path: Path) -> None:
    """Spark's workers may run elsewhere: the folder's path is absolute."""
    settings = stream_settings(tmp_path, CHECKPOINT_DIR="points")

    assert settings.checkpoint_dir == Path.cwd() / "points"


def test_database_settings_stand_alone(tmp_path: Path) -> None:
    """The commands that only read the database need no Kafka."""
    environment = {
        name: value
        for name, value in stream_environment(tmp_path, POSTGRES_PORT="5433").items()
        if "POSTGRES" in name
    }

    assert database_settings_from(environment) == DatabaseSettings(
        postgres_host="db", postgres_password_file=tmp_path / "password", postgres_port=5433
    )


@pytest.mark.parametrize("name", ["POSTGRES_HOST", "POSTGRES_PASSWORD_FILE"])
def test_database_settings_need_address(tmp_path: Path, name: str) -> None:
    """Host and password file are required for the database alone, too."""
    environment = {
        PREFIX + "POSTGRES_HOST": "db",
        PREFIX + "POSTGRES_PASSWORD_FILE": stream_environment(tmp_path)[
            PREFIX + "POSTGRES_PASSWORD_FILE"
        ],
    }
    del environment[PREFIX + name]

    with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} is not set"):
        database_settings_from(environment)


def test_foreign_variables_are_ignored(tmp_path: Path) -> None:
    """Variables of other programs are nothing to the stream."""
    environment = stream_environment(tmp_path) | {"PATH": "/bin", "CLICKSTREAM_GENERATOR_X": "1"}

    assert settings_from(environment) == stream_settings(tmp_path)
