"""Settings and checkpoints of the stream: what is wrong is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.quality import QUALITY_RULES, FlagReason
from clickstream_contract.topics import RejectReason
from clickstream_streaming.errors import CheckpointMismatch
from clickstream_streaming.settings import settings_from
from clickstream_streaming.shell.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "CLICKSTREAM_STREAMING_"


def _environment(**more: str) -> dict[str, str]:
    base = {
        "BOOTSTRAP_SERVERS": "localhost:9092",
        "POSTGRES_HOST": "localhost",
        "POSTGRES_PASSWORD_FILE": __file__,
        "CHECKPOINT_DIR": "/tmp/x",  # noqa: S108  never opened
    }
    return {PREFIX + name: value for name, value in (base | more).items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("POSTGRES_PORT", "0"), ("POSTGRES_PORT", "x"), ("POSTGRES_SSLMODE", "maybe"),
     ("FAILPOINT", "sometimes"), ("POSTGRES_PASSWORD_FILE", "/nowhere"), ("TRIGER", "1"),
     ("POSTGRES_HOST", "")],
)  # fmt: skip
def test_a_wrong_variable_is_refused_by_name(name: str, value: str) -> None:
    """The text names the variable; a missing or unknown one is an error."""
    with pytest.raises(SettingsInvalid, match=PREFIX + name):
        settings_from(_environment(**{name: value}))


def test_a_fingerprint_is_noted_and_compared(tmp_path: Path) -> None:
    """The first job leaves its fingerprint; another one is told what differs."""
    checkpoint = Checkpoint(tmp_path / "query")
    checkpoint.check_fingerprint({"schema": "a", "partitions": "2"})
    checkpoint.check_fingerprint({"schema": "a", "partitions": "2"})

    with pytest.raises(CheckpointMismatch, match="schema: a there, b here"):
        checkpoint.check_fingerprint({"schema": "b", "partitions": "2"})


def test_sparks_files_are_read(tmp_path: Path) -> None:
    """The last batches and their offsets are those of Spark's logs."""
    for log, numbers in (("offsets", "9 10 11"), ("commits", "9 10")):
        (tmp_path / log).mkdir()
        for number in numbers.split():
            lines = ["v1", "{}", json.dumps({"topic": {"0": int(number) * 5}})]
            (tmp_path / log / number).write_text("\n".join(lines), encoding="utf-8")
            (tmp_path / log / f".{number}.crc").write_text("", encoding="utf-8")
    checkpoint = Checkpoint(tmp_path)

    assert checkpoint.exists()
    assert checkpoint.committed_batch() == 10
    assert checkpoint.offsets_until(11) == {"topic": {0: 55}}


def test_every_reject_reason_has_a_rule() -> None:
    """The table of rules names every reason, and no rule twice."""
    names = [rule.name for rule in QUALITY_RULES]
    assert len(names) == len(set(names))
    assert {rule.reason for rule in QUALITY_RULES} == {*RejectReason, *FlagReason}
