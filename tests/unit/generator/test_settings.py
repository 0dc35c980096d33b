"""Settings: a wrong variable is named, with its value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_generator.settings import settings_from

PREFIX = "CLICKSTREAM_GENERATOR_"


def _environment(**more: str) -> dict[str, str]:
    base = {"SIMULATION_FILE": __file__, "BOOTSTRAP_SERVERS": "localhost:9092"}
    return {PREFIX + name: value for name, value in (base | more).items()}


def test_defaults_hold_where_nothing_is_said() -> None:
    """Only where to send and what to simulate must be given; an empty variable is absent."""
    settings = settings_from(_environment(SHARDS=""))

    assert settings.simulation_file == Path(__file__)
    assert settings.metrics_host == "127.0.0.1"
    assert settings.shards is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("SHARDS", "3-1"), ("SHARDS", "a"), ("SHARDS", "5000"), ("METRICS_PORT", "0"),
     ("METRICS_PORT", "x"), ("RUN_ID", "7"), ("SIMULATION_FILE", "/nowhere"), ("METRIC_PORT", "1"),
     ("SECURITY_PROTOCOL", "TELNET"), ("DRAIN_SECONDS", "nan")],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    """The text names the variable; an unknown one is an error, not a default."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        settings_from(_environment(**{name: value}))


def test_shards_are_numbers_and_ranges() -> None:
    """``0-2,7`` is four shards."""
    assert settings_from(_environment(SHARDS="0-2,7")).shards == (0, 1, 2, 7)
