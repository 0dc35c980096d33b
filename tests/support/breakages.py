"""Actions that break the pipeline, and let it recover.

Owns what is killed, cut, lost, filled and skewed, and what the logs may say of it.
"""

from __future__ import annotations

import re
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from clickstream_streaming.shell.checkpoint import Checkpoint
from clickstream_streaming.shell.database import committed_offsets
from clocks import WrongClock
from pipeline import wait_until
from scenario import recover

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_local.processes import ServiceProcess
    from invariants import Noise
    from network import TcpProxy
    from pipeline import Pipeline
    from scenario import Stage

__all__ = [
    "CutInCopy",
    "FillDisk",
    "ForgetConnections",
    "KillKafka",
    "KillPostgres",
    "KillStreaming",
    "Part",
    "SetClock",
    "end_of",
    "said",
]

_DYING: Noise = {
    # What Spark's own parts say when one of them is gone; our lines have another date.
    "streaming": (
        r"^\d\d/\d\d/\d\d [\d:]+ ERROR \w+",
        r"ERROR py4j\.clientserver: There was an exception while executing the Python Proxy",
        r"^Traceback \(most recent call last\)",
    ),
    "postgres": (
        r"FATAL:  (connection to client lost|terminating connection)",
        r"unexpected EOF on client connection",
    ),
}
_DATABASE_AWAY: Noise = {
    "postgres": (
        r"FATAL:  (the database system is|terminating connection|connection to client lost)",
        r"could not (receive data from|send data to) client",
        r"unexpected EOF on client connection",
    ),
    "streaming": (r", retrying", r"^\s*(FATAL|PANIC):  "),
}
_COPY = b'COPY "raw"."events"'
_ARMED_AFTER_BATCHES = 3


def said(stage: Stage, component: str, pattern: str, since: int = 0) -> bool:
    """Return whether a component has written something since the scenario began."""
    return re.search(pattern, stage.watch.text(component)[since:]) is not None


def end_of(stage: Stage, component: str) -> int:
    """Return where a component's log ends now."""
    return len(stage.watch.text(component))


def _detect(stage: Stage, holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until a fault is named, and note how long it took."""
    began = time.monotonic()
    wait_until(holds, what, seconds)
    stage.figures.detect_seconds.append(round(time.monotonic() - began, 1))


@dataclass(frozen=True)
class KillStreaming:
    """``kill -9`` of the job, and a new start.

    A job that was started with a fail point kills itself there. Starting Spark takes long, so
    each start is already armed for the kill that follows.

    Attributes:
        then: The fail point of the next kill; empty if that one may come at any moment.
    """

    then: str = ""
    noise: ClassVar[Noise] = _DYING

    def do(self, stage: Stage) -> None:
        """Kill it, or see it kill itself, and start it again."""
        pipeline = stage.pipeline
        if pipeline.failpoint:
            code = pipeline.wait_until_stream_ends("the job kills itself")
            assert code == -signal.SIGKILL
        else:
            pipeline.kill()
        recover(stage, pipeline.last_batch(), lambda: self._start(pipeline))

    def _start(self, pipeline: Pipeline) -> None:
        settings = {}
        if self.then:
            batch = _checkpoint(pipeline)._last("offsets") or 0
            batch += _ARMED_AFTER_BATCHES
            settings = {"FAILPOINT": self.then, "FAILPOINT_BATCH": str(batch)}
        pipeline.launch(settings)
        pipeline.failpoint = self.then
        pipeline.wait_ready()


@dataclass(frozen=True)
class KillKafka:
    """``kill -9`` of the broker, and a new start."""

    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Kill it and start it again."""
        before = stage.pipeline.last_batch()
        stage.pipeline.kill_kafka()
        recover(stage, before, stage.pipeline.restart_kafka)


@dataclass(frozen=True)
class KillPostgres:
    """``kill -9`` of the database, and a new start."""

    noise: ClassVar[Noise] = _DATABASE_AWAY

    def do(self, stage: Stage) -> None:
        """Kill it and start it again."""
        before = stage.pipeline.last_batch()
        stage.pipeline.kill_postgres()
        recover(stage, before, stage.pipeline.restart_postgres)


@dataclass(frozen=True)
class CutInCopy:
    """The connection to the database is reset while events are handed over."""

    noise: ClassVar[Noise] = _DATABASE_AWAY

    def do(self, stage: Stage) -> None:
        """Wait for a COPY and cut it."""
        proxy = stage.pipeline.postgres_proxy
        resets, since = proxy.resets, end_of(stage, "streaming")
        proxy.reset_in(_COPY)
        wait_until(lambda: proxy.resets > resets, "a COPY is cut")
        _detect(
            stage,
            lambda: said(stage, "streaming", r"cannot write batch .*, retrying: ", since),
            "the cut is named",
        )
        recover(stage, stage.pipeline.last_batch(), lambda: None)


@dataclass(frozen=True)
class ForgetConnections:
    """What is open between the stream and a service is lost on the way; new connections succeed.

    Attributes:
        service: ``kafka`` or ``postgres``.
        says: What the stream says when it notices; nothing if Spark keeps it to itself.
    """

    service: str
    says: str = ""
    noise: ClassVar[Noise] = _DATABASE_AWAY

    def do(self, stage: Stage) -> None:
        """Lose them while a batch is under way, and wait until the stream has got over it."""
        since = end_of(stage, "streaming")
        # One batch may have been written already.
        before = stage.pipeline.last_batch() + 1
        _proxy(stage.pipeline, self.service).forget()
        if self.says:
            _detect(stage, lambda: said(stage, "streaming", self.says, since), "it is noticed")
        recover(stage, before, lambda: None)


@dataclass(frozen=True)
class Part:
    """Nothing passes between the stream and the services, cut and healed one after the other.

    Attributes:
        services: In the order in which they are cut; they come back in it, too.
        says: What the stream says when it notices.
    """

    services: tuple[str, ...]
    says: str
    noise: ClassVar[Noise] = _DATABASE_AWAY

    def do(self, stage: Stage) -> None:
        """Part them until the stream says so, then heal."""
        since = end_of(stage, "streaming")
        proxies = [_proxy(stage.pipeline, service) for service in self.services]
        for proxy in proxies:
            proxy.part()
            time.sleep(2)  # a batch has begun by then
        _detect(stage, lambda: said(stage, "streaming", self.says, since), "it is noticed")
        before = stage.pipeline.last_batch()

        def heal() -> None:
            for proxy in proxies:
                proxy.heal()
                time.sleep(1)

        recover(stage, before, heal)


@dataclass(frozen=True)
class FillDisk:
    """The disk of a service is full, until there is room again.

    Attributes:
        name: ``kafka``, ``postgres`` or ``checkpoints``.
        component: Who is to name it, before it ends; the broker, which has no log here, just ends.
    """

    name: str
    component: str
    noise: ClassVar[Noise] = {
        "kafka": (r"(ERROR|FATAL) .*", r"^Traceback"),
        "postgres": (r"(ERROR|FATAL|PANIC):  .*", *_DATABASE_AWAY["postgres"]),
        "streaming": (
            *_DYING["streaming"],
            *_DATABASE_AWAY["streaming"],
            r"No space left on device",
        ),
    }

    def do(self, stage: Stage) -> None:
        """Fill it, wait until it is named, see that nothing is ahead, and make room."""
        pipeline = stage.pipeline
        since = end_of(stage, self.component)
        disk = pipeline.disks[self.name]
        # One batch may be on its way into what room there was.
        before = pipeline.last_batch() + 1
        disk.fill()
        try:
            process = self._process(pipeline).process
            if self.name == "kafka":
                _detect(stage, lambda: process.poll() is not None, "the broker ends", 120)
            else:
                _detect(
                    stage,
                    lambda: said(stage, self.component, "No space left on device", since),
                    "the full disk is named",
                )
            if self.name == "checkpoints":
                wait_until(lambda: process.poll() is not None, "it ends by name", 90)
        finally:
            disk.free()
        recover(stage, before, lambda: self._restart(pipeline))
        _refuse_checkpoint_ahead(pipeline)

    def _process(self, pipeline: Pipeline) -> ServiceProcess:
        if self.name == "kafka":
            return pipeline.kafka.process
        if self.name == "checkpoints":
            return pipeline.streaming
        assert pipeline.postgres.process is not None
        return pipeline.postgres.process

    def _restart(self, pipeline: Pipeline) -> None:
        process = self._process(pipeline)
        if process.process.poll() is None:
            pipeline.postgres.wait_ready()  # it may have started again by itself
            return
        pipeline.discard(process)
        if self.name == "kafka":
            pipeline.restart_kafka()
        elif self.name == "postgres":
            pipeline.restart_postgres()
        else:
            pipeline.resume()


@dataclass(frozen=True)
class SetClock:
    """The stream's wall clock is wrong, and is set while the stream runs.

    Kafka's client keeps time by it: a leap ahead in the middle of a call is a call that took too
    long, and the stream may end by name. It is started again then, as in a cluster.

    Attributes:
        offsets: By how much it is off, one after the other; with the first the stream begins.
    """

    offsets: tuple[str, ...]
    noise: ClassVar[Noise] = {
        **_DYING,
        "streaming": (*_DYING["streaming"], r"^error: the query events has ended: .*start the "),
    }

    def do(self, stage: Stage) -> None:
        """Start the stream with that clock, set it again and again, and put it right."""
        pipeline = stage.pipeline
        clock = WrongClock(pipeline.state.root / "clock")
        clock.leap(self.offsets[0])
        environment = clock.environment()
        pipeline.halt()
        pipeline.launch({}, environment)
        pipeline.wait_ready()
        for offset in self.offsets:
            # One batch may be under way by the clock as it was.
            before = pipeline.last_batch() + 1
            clock.leap(offset)
            recover(stage, before, partial(self._go_on, pipeline, environment, before))
        pipeline.halt()
        pipeline.resume()

    def _go_on(self, pipeline: Pipeline, environment: dict[str, str], before: int) -> None:
        process = pipeline.streaming.process
        wait_until(
            lambda: pipeline.last_batch() > before or process.poll() is not None,
            "it goes on, or ends by name",
        )
        if process.poll() is not None:
            pipeline.discard(pipeline.streaming)
            pipeline.launch({}, environment)
            pipeline.wait_ready()


def _proxy(pipeline: Pipeline, service: str) -> TcpProxy:
    return pipeline.kafka_proxy if service == "kafka" else pipeline.postgres_proxy


def _checkpoint(pipeline: Pipeline) -> Checkpoint:
    return Checkpoint(pipeline.state.folder("checkpoints") / "events")


def _refuse_checkpoint_ahead(pipeline: Pipeline) -> None:
    """Fail if the checkpoint has a batch done whose records are not in the database."""
    checkpoint = _checkpoint(pipeline)
    batch = checkpoint.committed_batch()
    assert batch is not None
    connection = pipeline.connect()
    stored = committed_offsets(connection, "events")
    connection.close()
    for topic, partitions in checkpoint.offsets_until(batch).items():
        for number, until in partitions.items():
            assert stored[topic][number] >= until, (topic, number)
