"""Actions that put another log or an older database in the place of what the stream knows.

Owns what is replaced, and that the stream refuses it by name where it cannot continue.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from breakages import KillPostgres, end_of, said
from clickstream_contract.topics import EVENTS
from fallbacks import fall_back, keep_database
from pipeline import wait_until
from replaced_logs import read_from_the_beginning, remake_topic
from scenario import Load, recover

if TYPE_CHECKING:
    from invariants import Noise
    from pipeline import Pipeline
    from scenario import Stage

__all__ = ["FallBack", "RemakeTopic"]

_STORED = "SELECT count(*) FROM raw.events"
_ENDING = (
    # What Spark's own parts say when the query ends; our lines have another date.
    r"^\d\d/\d\d/\d\d [\d:]+ ERROR \w+",
    r"ERROR py4j\.clientserver: There was an exception while executing the Python Proxy",
    r"^Traceback \(most recent call last\)",
)


@dataclass(frozen=True)
class RemakeTopic:
    """The events' topic is deleted and created again, and has more records than were read.

    Attributes:
        load: The simulation that fills it; it comes to an end.
    """

    load: Load
    noise: ClassVar[Noise] = {"streaming": (*_ENDING, r"^error: the topic \S+ has the id ")}

    def do(self, stage: Stage) -> None:
        """Part the stream from Kafka meanwhile, see it refuse the topic, and read it all."""
        pipeline = stage.pipeline
        since = end_of(stage, "streaming")
        pipeline.kafka_proxy.part()
        remake_topic(pipeline)
        stage.watch.begins.update({at: 0 for at in stage.watch.begins if at[0] == EVENTS.name})
        self.load.do(stage)
        wait_until(lambda: pipeline.generator.process.poll() == 0, "the topic is filled")
        pipeline.kafka_proxy.heal()
        assert pipeline.wait_until_stream_ends("the stream refuses") == 1
        assert said(stage, "streaming", "it was deleted and created again", since)
        read_from_the_beginning(pipeline)
        recover(stage, pipeline.last_batch(), pipeline.resume)
        stage.figures.shown = "refused by name, then read from its beginning"


@dataclass(frozen=True)
class FallBack:
    """A standby without the last batches takes over.

    Attributes:
        batches: How many batches are committed that it lacks.
    """

    batches: int
    noise: ClassVar[Noise] = KillPostgres.noise | {
        "streaming": (
            *KillPostgres.noise["streaming"],
            *_ENDING,
            r"^error: the database lacks batch",
        )
    }

    def do(self, stage: Stage) -> None:
        """Copy the database, let it come further, and put the copy in its place."""
        pipeline = stage.pipeline
        copy = keep_database(pipeline, pipeline.state.root)
        wanted = pipeline.last_batch() + self.batches
        wait_until(lambda: pipeline.last_batch() >= wanted, "batches are committed")
        stored = pipeline.count(_STORED)
        fall_back(pipeline, copy)
        shutil.rmtree(copy)
        lost = stored - pipeline.count(_STORED)
        stage.figures.shown = f"{lost} committed events lost, and read again"
        recover(stage, pipeline.last_batch(), lambda: self._resume(pipeline))

    def _resume(self, pipeline: Pipeline) -> None:
        assert pipeline.wait_until_stream_ends("the stream refuses") == 1
        shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
        pipeline.resume()
