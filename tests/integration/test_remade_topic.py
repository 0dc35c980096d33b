"""The stream reads on only in the log that it has read: a replaced one is refused by name."""

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
"""With a setting of its own a job is not waited for."""
_REJECTED = "SELECT count(*) FROM ops.rejected_events"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A pipeline of these tests' own: what they lose and read again would show in other tests."""
    with Pipeline(tmp_path_factory.mktemp("remade")) as running:
        yield running


@pytest.fixture
def works(own: Pipeline) -> Iterator[Pipeline]:
    """The pipeline, which works again when a test has failed half-way."""
    yield own
    if own.streaming.process.poll() is not None:
        own.kafka_proxy.heal()
        read_from_the_beginning(own)
        own.resume()


def _defects(works: Pipeline) -> dict[str, int]:
    report = works.verify()
    return {name: getattr(report, name) for name in DEFECTS}


def _last_words(works: Pipeline) -> str:
    """Wait until the stream has ended by an error, and return its last line."""
    assert works.wait_until_stream_ends("the stream refuses") == 1
    return works.streaming.log_file.read_text(encoding="utf-8").splitlines()[-1]


def test_remade_topic_is_refused(works: Pipeline) -> None:
    """A topic with another id is not read on; read from its beginning, nothing of it is lost."""
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
    """A running stream ends by name before it skips a record, though all offsets fit."""
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
    """A leader without the last records makes a new epoch: what it has in their place is named."""
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
    """A new leader epoch alone is no reason to stop: the log has all that was read."""
    works.drain(works.generate(_FEW))

    works.kill_kafka()
    works.restart_kafka()
    works.drain(works.generate(_FEW))

    assert works.streaming.process.poll() is None
    assert _defects(works) == dict.fromkeys(DEFECTS, 0)
