"""The stream reads on only in the log that it has read: a replaced one is refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import SIMULATION, Pipeline, wait_until
from replaced_logs import keep_logs, put_back_logs, read_from_the_beginning, remake_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.services

_FEW = SIMULATION.replace("events: 3000", "events: 600")
_SOME_SETTING = {"TRIGGER_MILLISECONDS": "501"}
"""With a setting of its own a job is not waited for."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline of this module's own: its topics and logs are replaced."""
    with Pipeline(tmp_path_factory.mktemp("remade")) as running:
        yield running


def _last_words(pipeline: Pipeline) -> str:
    """Wait until the stream has ended, and return its last line."""
    ended = pipeline.streaming
    wait_until(lambda: ended.process.poll() is not None, "the stream ends")
    pipeline._running.remove(ended)
    assert ended.process.returncode == 1
    return ended.log_file.read_text(encoding="utf-8").splitlines()[-1]


def _defects(pipeline: Pipeline) -> dict[str, int]:
    report = pipeline.verify()
    return {name: getattr(report, name) for name in DEFECTS}


def _count(pipeline: Pipeline, query: str) -> int:
    connection = pipeline.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(query)
        (count,) = cursor.fetchone() or (0,)
    connection.close()
    return int(count)


_REJECTED = "SELECT count(*) FROM ops.rejected_events"


def test_remade_topic_is_refused(own: Pipeline) -> None:
    """A topic with another id is not read on; read from its beginning, nothing of it is lost."""
    own.produce(b"unfit", b"unfit")
    own.drain(own.generate(_FEW))
    rejected = _count(own, _REJECTED)
    own.halt()
    remake_topic(own)
    own.produce(b"unfit", b"unfit", b"unfit")
    own.generate()

    own.launch(_SOME_SETTING)
    said = _last_words(own)
    read_from_the_beginning(own)
    own.resume()
    own.drain()

    assert "error: the topic clickstream.events.v1 has the id " in said
    assert "it was deleted and created again" in said
    assert _count(own, _REJECTED) == rejected + 3
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_topic_remade_under_the_stream(own: Pipeline) -> None:
    """A running stream ends by name before it skips a record, though all offsets fit."""
    own.drain(own.generate(_FEW))
    own.kafka_proxy.part()
    remake_topic(own)
    own.generate()
    own.kafka_proxy.heal()

    said = _last_words(own)
    read_from_the_beginning(own)
    own.resume()
    own.drain()

    assert "it was deleted and created again" in said
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_diverged_log_is_refused(own: Pipeline, tmp_path: Path) -> None:
    """A leader without the last records makes a new epoch: what it has in their place is named."""
    keep_logs(own, tmp_path)
    run_id = own.generate(_FEW)
    own.drain(run_id)
    own.halt()
    put_back_logs(own, tmp_path)
    own.generate()

    own.launch(_SOME_SETTING)
    said = _last_words(own)
    read_from_the_beginning(own)
    own.resume()
    own.drain()

    assert "error: partition " in said
    assert "but its log leaves that epoch before this offset" in said
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)


def test_restarted_broker_is_read_on(own: Pipeline) -> None:
    """A new leader epoch alone is no reason to stop: the log has all that was read."""
    own.drain(own.generate(_FEW))

    own.kill_kafka()
    own.restart_kafka()
    own.generate(_FEW)
    own.drain()

    assert own.streaming.process.poll() is None
    assert _defects(own) == dict.fromkeys(DEFECTS, 0)
