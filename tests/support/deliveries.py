"""Actions on what is delivered, and on what is remembered of it: records, tables, checkpoint.

Owns how records come twice, checkpoints go, topics are created again and tables change.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from breakages import end_of, said
from clickstream_contract.topics import EVENTS
from clickstream_local.session import end_offsets
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from invariants import records_since
from scenario import Produce, recover

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from invariants import Noise
    from scenario import Stage

__all__ = ["Alter", "Check", "DieOver", "ExpireRecords", "LoseCheckpoint", "Refuse", "Replay"]

_ENDING: Noise = {
    "streaming": (
        r"^\d\d/\d\d/\d\d [\d:]+ ERROR \w+",
        r"ERROR py4j\.clientserver: There was an exception while executing the Python Proxy",
        r"^Traceback \(most recent call last\)",
        r"^error: the checkpoint .* does not fit this job",
        r"^error: partition \d+ of the topic \S+ does not have offset",
        r"^error: cannot read the topic ",
    ),
    "postgres": (
        r"FATAL:  (connection to client lost|terminating connection)",
        r"unexpected EOF on client connection",
    ),
}


@dataclass(frozen=True)
class Check:
    """Looks at something, and says in a few words what it has seen."""

    look: Callable[[Stage], str]
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Look."""
        stage.figures.shown = self.look(stage)


@dataclass(frozen=True)
class Replay:
    """A second producer sends every tenth record again, byte for byte."""

    # Copies in two partitions, stored at the same moment: one writer is refused and tries again.
    noise: ClassVar[Noise] = {
        "postgres": (r"duplicate key value violates unique constraint",),
        "streaming": (r", retrying: ", r"Key \(.*already exists"),
    }

    def do(self, stage: Stage) -> None:
        """Read what has been sent so far, and send it again."""
        servers = stage.pipeline.kafka.bootstrap_servers
        producer = Producer({"bootstrap.servers": servers, "message.max.bytes": 2_097_152})
        for number, message in enumerate(records_since(servers, stage.watch.begins)):
            if number % 10 == 0:
                producer.produce(EVENTS.name, value=message.value(), key=message.key())
                stage.figures.faults += 1
        assert producer.flush(20) == 0


@dataclass(frozen=True)
class Alter:
    """The tables are changed under the running stream.

    Attributes:
        expand, contract: Statements; between them a batch is committed.
    """

    expand: tuple[str, ...]
    contract: tuple[str, ...]
    noise: ClassVar[Noise] = {}

    def do(self, stage: Stage) -> None:
        """Expand, wait for a batch, contract."""
        connection = stage.pipeline.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            try:
                for statement in self.expand:
                    cursor.execute(statement)
                recover(stage, stage.pipeline.last_batch(), lambda: None)
            finally:
                for statement in self.contract:
                    cursor.execute(statement)
        connection.close()


@dataclass(frozen=True)
class Refuse:
    """The stream comes back to a checkpoint that it must refuse by name, before it reads.

    Attributes:
        file: The file in the checkpoint that is changed; of numbered ones, the last.
        change: What becomes of its text.
        says: What the stream says of it.
    """

    file: str
    change: Callable[[str], str]
    says: str
    noise: ClassVar[Noise] = _ENDING

    def do(self, stage: Stage) -> None:
        """Stop the stream, change the file, see it refused, and put the file back."""
        pipeline = stage.pipeline
        if pipeline.streaming.process.poll() is None:
            pipeline.halt()
        file = self._file(pipeline.state.folder("checkpoints") / "events")
        kept = file.read_text(encoding="utf-8")
        file.write_text(self.change(kept), encoding="utf-8")
        since = end_of(stage, "streaming")
        pipeline.launch({})
        code = pipeline.wait_until_stream_ends("the stream refuses")
        file.write_text(kept, encoding="utf-8")
        assert code == 1
        assert said(stage, "streaming", re.escape(self.says), since)
        stage.figures.faults += 1

    def _file(self, checkpoint: Path) -> Path:
        if (checkpoint / self.file).is_dir():
            numbers = [int(row.name) for row in (checkpoint / "commits").glob("[0-9]*")]
            return checkpoint / self.file / str(max(numbers))
        return checkpoint / self.file


@dataclass(frozen=True)
class DieOver:
    """The stream is away while records are sent, and dies over the first batch it then has.

    Attributes:
        records: What is sent.
    """

    records: Produce
    noise: ClassVar[Noise] = _ENDING

    def do(self, stage: Stage) -> None:
        """Let it commit all partitions of that batch and die before it closes the batch."""
        pipeline = stage.pipeline
        pipeline.halt()
        self.records.do(stage)
        pipeline.launch({"FAILPOINT": "after_sink_commit"})
        pipeline.wait_until_stream_ends("the job kills itself")
        pipeline.resume()


@dataclass(frozen=True)
class LoseCheckpoint:
    """The checkpoint is gone, and the stream comes back."""

    noise: ClassVar[Noise] = _ENDING

    def do(self, stage: Stage) -> None:
        """Remove it and start the stream, if it runs not."""
        pipeline = stage.pipeline
        if pipeline.streaming.process.poll() is None:
            pipeline.halt()
        before = pipeline.last_batch()
        shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
        recover(stage, before, pipeline.resume)


@dataclass(frozen=True)
class ExpireRecords:
    """Kafka drops records before the stream, which is parted from it for a while, has read them.

    The stream ends with a message, and a new start is refused, until a person has decided to start
    at the beginning again: like a restore with another Kafka, by emptying ``ops.batches``.
    """

    noise: ClassVar[Noise] = _ENDING

    def do(self, stage: Stage) -> None:
        """Part them, let records come and go, see the stream end, and start again."""
        pipeline = stage.pipeline
        since = end_of(stage, "streaming")
        pipeline.kafka_proxy.part()
        pipeline.produce(*(b"gone before it is read" for _ in range(50)))
        servers = pipeline.kafka.bootstrap_servers
        ends = end_offsets(servers)
        wanted = [TopicPartition(*at, end) for at, end in ends.items() if at[0] == EVENTS.name]
        admin = AdminClient({"bootstrap.servers": servers})  # answers come while it is there
        for done in admin.delete_records(wanted).values():
            done.result(20)
        pipeline.kafka_proxy.heal()
        pipeline.wait_until_stream_ends("the stream ends")
        assert said(stage, "streaming", "has deleted the 50 records before", since)
        connection = pipeline.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM ops.batches")
        connection.close()
        shutil.rmtree(pipeline.state.folder("checkpoints") / "events")
        stage.figures.faults += 1
        stage.figures.shown = "50 records gone, named by number"
        pipeline.resume()
