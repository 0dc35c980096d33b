"""What the stream refuses at its start, by name, before it reads anything; and what it awaits."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import pytest
from batches import writer_settings
from clickstream_local.ports import free_port
from clickstream_local.postgres import OWNER
from clickstream_streaming.errors import DatabaseNotMigrated, DatabaseUnreachable
from clickstream_streaming.shell.database import check_tables, connect_patiently
from pipeline import Pipeline, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services

_SOME_SETTING = {"TRIGGER_MILLISECONDS": "501"}
"""With a setting of its own a job is not waited for."""


@contextmanager
def _halted(pipeline: Pipeline) -> Iterator[None]:
    """Keep the stream stopped, with batches and all of them committed; afterwards it works again.

    Whatever has happened. Without a batch that is committed there is nothing to be put back to.
    """
    pipeline.drain(pipeline.generate())
    log = pipeline.state.folder("checkpoints") / "events"
    wait_until(lambda: _last(log / "offsets") == _last(log / "commits"), "all is committed")
    pipeline.halt()
    try:
        yield
    finally:
        pipeline.resume()


def _last(log: Path) -> int:
    return max(int(path.name) for path in log.iterdir() if path.name.isdigit())


def _refusal(pipeline: Pipeline, **settings: str) -> str:
    """Start the stream, see it refuse, and return what it says."""
    refused = pipeline.resume(**settings)
    try:
        wait_until(lambda: refused.process.poll() is not None, "the stream refuses")
    finally:
        refused.stop()
        pipeline._running.remove(refused)
    assert refused.process.returncode == 1
    return refused.log_file.read_text(encoding="utf-8")


def test_a_wiped_database_is_refused_by_name(pipeline: Pipeline) -> None:
    """A database without the checkpoint's batches stops the stream before its first read."""
    connection = pipeline.connect()
    with _halted(pipeline):
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE public.kept AS SELECT * FROM ops.batches")
            cursor.execute("DELETE FROM ops.batches WHERE query = 'events'")
        try:
            said = _refusal(pipeline, **_SOME_SETTING)
        finally:
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "INSERT INTO ops.batches SELECT * FROM public.kept WHERE query = 'events'"
                )
                cursor.execute("DROP TABLE public.kept")
    connection.close()

    assert "it was wiped or restored" in said


def test_a_checkpoint_that_was_put_back_is_refused_by_name(pipeline: Pipeline) -> None:
    """What the database has and the plan does not would be taken for written, whatever it is."""
    with _halted(pipeline):
        folder = pipeline.state.folder("checkpoints") / "events"
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
            said = _refusal(pipeline, **_SOME_SETTING)
        finally:
            for path, content in kept.items():
                path.write_bytes(content)

    assert "put back to an older state" in said


def test_a_topic_with_other_partitions_is_refused_by_name(pipeline: Pipeline) -> None:
    """The topic has four partitions; a job that expects six says so, and reads nothing."""
    with _halted(pipeline):
        said = _refusal(pipeline, EVENTS_PARTITIONS="6")

    assert "the topic clickstream.events.v1 has 4 partitions, not 6" in said


def test_an_unmigrated_database_and_a_wrong_password_are_refused_by_name(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """What is missing, or what to check, stands in the words."""
    settings = replace(writer_settings(pipeline), postgres_password_file=tmp_path / "password")
    settings.postgres_password_file.write_text("wrong", encoding="utf-8")
    said = "check CLICKSTREAM_STREAMING_POSTGRES_"
    with pytest.raises(DatabaseUnreachable, match=said) as refused:
        connect_patiently(settings, Event())
    assert refused.value.is_refusal, "nothing would come of waiting"

    bare = pipeline.postgres.connect(OWNER, "postgres")
    with pytest.raises(DatabaseNotMigrated, match=r"no raw.events; apply the migrations"):
        check_tables(bare)
    bare.close()


def test_a_database_that_does_not_answer_yet_is_waited_for(pipeline: Pipeline) -> None:
    """A stream that is up before its database begins when that is there, and not before."""
    pipeline.halt()
    pipeline.postgres_proxy.part()
    try:
        stream = pipeline.launch({})
        before = len(stream.log_file.read_text(encoding="utf-8"))
        wait_until(
            lambda: "PostgreSQL is waited for" in stream.log_file.read_text("utf-8")[before:],
            "the stream waits",
        )
        assert not pipeline.is_ready()
    finally:
        pipeline.postgres_proxy.heal()
    pipeline.wait_ready()


def test_who_is_told_to_stop_waits_no_longer(pipeline: Pipeline) -> None:
    """It is over with the first attempt."""
    told = Event()
    told.set()
    settings = replace(writer_settings(pipeline), postgres_port=free_port())

    with pytest.raises(DatabaseUnreachable, match="refused") as unreachable:
        connect_patiently(settings, told)
    assert not unreachable.value.is_refusal


def test_a_server_that_is_only_starting_is_no_refusal() -> None:
    """It says so with the same severity as if the password were wrong."""
    address = "db:5432/clickstream"
    starting = "connection failed: FATAL:  the database system is starting up"
    wrong = 'connection failed: FATAL:  password authentication failed for user "stream"'

    assert not DatabaseUnreachable(address, starting).is_refusal
    assert DatabaseUnreachable(address, wrong).is_refusal
