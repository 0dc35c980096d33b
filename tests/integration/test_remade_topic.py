"""The stream continues only in the log that it has read: a replaced log is an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.shell.verification import DEFECTS
from pipeline import SIMULATION, Pipeline
from replaced_logs import keep_logs, put_back_logs, read_from_the_beginning, remake_topic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.services, pytest.mark.slow]

_FEW = SIMULATION.replace("events: 3000", "events: 600")
_SOME_SETTING = {"TRIGGER_MILLISECONDS": "501"}
"""A job with other settings is not waited for."""
_REJECTED = "SELECT count(*) FROM ops.rejected_events"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline only for these tests: their losses and repeats would show in other tests."""
    with Pipeline(tmp_path_factory.mktemp("remade")) as running:
        yield running


@pytest.fixture
def works(own: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, repaired after a failed test."""
    yield own
    if own.streaming.process.poll() is not None:
        own.kafka_proxy.heal()
        read_from_the_beginning(own)
        own.resume()


def _defects(works: Pipeline) -> dict[str, int]:
    report = works.verify()
    return {name: getattr(report, name) for name in DEFECTS}


def _last_words(works: Pipeline) -> str:
    """Wait until the stream has ended with an error; return its last line."""
    assert works.wait_until_stream_ends("the stream refuses") == 1
    return works.streaming.log_file.read_text(encoding="utf-8").splitlines()[-1]


def test_remade_topic_is_refused(works: Pipeline) -> None:
    """The stream refuses a topic with another id; read from its start, nothing is lost."""
    works.produce(b"unfit", b"unfit")
    works.drain(works.generate(_FEW))
    rejected = works.count(_REJECTED)
    works.halt()
    remake_topic(works)
    works.produce(b"unfit", b"unfit", b"unfit")
    works.generate()

    works.launch(_SOME_SETTING)
    said = _last_words(works)
    read_from_the_beginning(works)
    works.resume()
    works.drain()

    assert said.startswith("error: the topic clickstream.events.v1 has the id ")
    assert "it was deleted and created again" in said
    assert works.count(_REJECTED) == rejected + 3
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_topic_remade_under_the_stream(works: Pipeline) -> None:
    """A running stream ends with an error before it skips a record, although all offsets fit."""
    works.drain(works.generate(_FEW))
    works.kafka_proxy.part()
    remake_topic(works)
    works.generate()
    works.kafka_proxy.heal()

    said = _last_words(works)
    read_from_the_beginning(works)
    works.resume()
    works.drain()

    assert "it was deleted and created again" in said
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_diverged_log_is_refused(works: Pipeline, tmp_path: Path) -> None:
    """A leader without the last records starts a new epoch, which is an error."""
    keep_logs(works, tmp_path)
    works.drain(works.generate(_FEW))
    works.halt()
    put_back_logs(works, tmp_path)
    works.generate()

    works.launch(_SOME_SETTING)
    said = _last_words(works)
    read_from_the_beginning(works)
    works.resume()
    works.drain()

    assert said.startswith("error: partition ")
    assert "but its log leaves that epoch before this offset" in said
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)


def test_restarted_broker_is_read_on(works: Pipeline) -> None:
    """A new leader epoch alone is no error: the log has all records that were read."""
    works.drain(works.generate(_FEW))

    works.kill_kafka()
    works.restart_kafka()
    works.drain(works.generate(_FEW))

    assert works.streaming.process.poll() is None
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)
