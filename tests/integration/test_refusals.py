"""Errors of the stream before its first read, and the services that it waits for."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from batches import writer_settings
from clickstream_local.ports import free_port
from clickstream_local.postgres import OWNER
from clickstream_streaming.errors import DatabaseNotMigrated, DatabaseUnreachable
from clickstream_streaming.shell.database import check_tables, connect_with_retries
from pipeline import Pipeline, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

pytestmark = pytest.mark.services

_SOME_SETTING = {"TRIGGER_MILLISECONDS": "501"}
"""A job with other settings is not waited for."""


def _last(log: Path) -> int:
    return max(int(path.name) for path in log.iterdir() if path.name.isdigit())


def _refusal(pipeline: Pipeline, **settings: str) -> str:
    """Start the stream, wait until it refuses, and return its log."""
    refused = pipeline.resume(**settings)
    try:
        assert pipeline.wait_until_stream_ends("the stream refuses") == 1
    finally:
        refused.stop()
        pipeline.discard(refused)
    return refused.log_file.read_text(encoding="utf-8")


@pytest.fixture(scope="class")
def halted(pipeline: Pipeline, stored_run: UUID) -> Iterator[Pipeline]:
    """Return the pipeline with its stream stopped between two batches."""
    assert stored_run  # a checkpoint without a batch cannot be put back
    log = pipeline.state.folder("checkpoints") / "events"
    wait_until(lambda: _last(log / "offsets") == _last(log / "commits"), "all is committed")
    pipeline.halt()
    try:
        yield pipeline
    finally:
        pipeline.resume()


class TestHaltedStream:
    """A stream that is stopped with all batches committed, and started on a changed state."""

    @pytest.mark.slow
    def test_wiped_database_is_refused(self, halted: Pipeline) -> None:
        """A database without the checkpoint's batches stops the stream before its first read."""
        halted.change(
            "CREATE TABLE public.kept AS SELECT * FROM ops.batches",
            "DELETE FROM ops.batches WHERE query = 'events'",
        )

        try:
            log = _refusal(halted, **_SOME_SETTING)
        finally:
            halted.change(
                "INSERT INTO ops.batches SELECT * FROM public.kept WHERE query = 'events'",
                "DROP TABLE public.kept",
            )

        assert "it was wiped or restored" in log

    @pytest.mark.slow
    def test_older_checkpoint_is_refused(self, halted: Pipeline) -> None:
        """The stream refuses a checkpoint that lacks batches which the database holds."""
        folder = halted.state.folder("checkpoints") / "events"
        last = _last(folder / "offsets")
        later = [
            folder / log / name
            for log in ("offsets", "commits")
            for name in (f"{last}", f".{last}.crc")
        ]
        kept = {path: path.read_bytes() for path in later if path.exists()}
        for path in kept:
            path.unlink()

        try:
            log = _refusal(halted, **_SOME_SETTING)
        finally:
            for path, content in kept.items():
                path.write_bytes(content)

        assert "restored to an older state" in log

    @pytest.mark.slow
    def test_other_partitions_are_refused(self, halted: Pipeline) -> None:
        """A job that expects six partitions refuses a topic that has four."""
        log = _refusal(halted, EVENTS_PARTITIONS="6")

        assert "the topic clickstream.events.v1 has 4 partitions, not 6" in log

    @pytest.mark.slow
    def test_stream_waits_for_its_database(self, halted: Pipeline) -> None:
        """A stream that starts before its database begins when the database answers."""
        halted.postgres_proxy.part()
        try:
            stream = halted.launch({})
            before = len(stream.log_file.read_text(encoding="utf-8"))
            wait_until(
                lambda: "PostgreSQL does not answer" in stream.log_file.read_text("utf-8")[before:],
                "the stream waits",
            )
            assert not halted.is_ready()
        finally:
            halted.postgres_proxy.heal()

        halted.wait_ready()

        halted.halt()


def test_wrong_password_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    """The error names the settings to check, and says that waiting is of no use."""
    settings = replace(writer_settings(pipeline), postgres_password_file=tmp_path / "password")
    settings.postgres_password_file.write_text("wrong", encoding="utf-8")

    with pytest.raises(
        DatabaseUnreachable, match="check CLICKSTREAM_STREAMING_POSTGRES_"
    ) as refused:
        connect_with_retries(settings, Event())

    assert refused.value.is_refusal


def test_unmigrated_database_is_refused(pipeline: Pipeline) -> None:
    """The error names the missing table and asks for the migrations."""
    with (
        closing(pipeline.postgres.connect(OWNER, "postgres")) as bare,
        pytest.raises(DatabaseNotMigrated, match=r"no raw.events; run the migrations"),
    ):
        check_tables(bare)


def test_stopped_stream_waits_no_longer(pipeline: Pipeline) -> None:
    """A stream that is asked to stop makes no second attempt to connect."""
    stopped = Event()
    stopped.set()
    settings = replace(writer_settings(pipeline), postgres_port=free_port())

    with pytest.raises(DatabaseUnreachable, match="refused") as unreachable:
        connect_with_retries(settings, stopped)

    assert not unreachable.value.is_refusal


def test_starting_server_is_no_refusal() -> None:
    """The stream waits for a server that is starting up, but not after a wrong password."""
    address = "db:5432/clickstream"
    starting = "connection failed: FATAL:  the database system is starting up"
    wrong = 'connection failed: FATAL:  password authentication failed for user "stream"'

    assert not DatabaseUnreachable(address, starting).is_refusal
    assert DatabaseUnreachable(address, wrong).is_refusal
