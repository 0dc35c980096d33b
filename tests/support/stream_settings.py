"""Settings of the stream for tests without services.

Owns a complete environment of the stream and the settings that follow from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_streaming.settings import PREFIX, settings_from

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_streaming.settings import Settings

__all__ = ["SAMPLE_DAYS", "stream_environment", "stream_settings"]

SAMPLE_DAYS = 3_650
"""So old may events be in tests: sample events are of January 2020."""


def stream_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the required variables and those that are given; files lie in the folder."""
    password = folder / "password"
    password.write_text("secret\n", encoding="utf-8")
    required = {
        "BOOTSTRAP_SERVERS": "kafka:9092",
        "POSTGRES_HOST": "db",
        "POSTGRES_PASSWORD_FILE": str(password),
        "CHECKPOINT_DIR": str(folder / "checkpoints"),
    }
    return {PREFIX + name: value for name, value in (required | more).items()}


def stream_settings(folder: Path, **more: str) -> Settings:
    """Return the settings of :func:`stream_environment`."""
    return settings_from(stream_environment(folder, **more))
