"""Topics of Kafka, copied into tables of DuckDB.

Owns the consumer. It reads from the beginning to the ends at the start, takes only committed
records, joins no group and commits nothing. Memory holds some thousand records.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import field
from clickstream_generator.api import read_client_file
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from clickstream_judge.core.dialect import quoted
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.topic_records import field_names, record_texts
from clickstream_judge.errors import EngineUnusable, MappingInvalid, ResultUnfit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import duckdb

    from clickstream_judge.core.mapping import Column
    from clickstream_judge.shell.decoding import Decode

__all__ = ["client_settings", "copy_topic", "read_topic"]

_ANSWER_SECONDS = 15.0
_SILENCE_SECONDS = 30.0
_POLL_SECONDS = 0.5
_AT_ONCE = 2_000
_COPIED_ROWS, _COPIED_BYTES = 20_000, 16_777_216
_SHOWN_TOPICS = 50
_FIXED = {
    "group.id": "clickstream-judge",  # the client wants one; without subscription it joins none
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "queued.max.messages.kbytes": 16_384,
    "log_level": 2,
}

Record = tuple[int, int, bytes | None]
"""Partition, offset and value."""


def client_settings(servers: str, config: Path | None) -> dict[str, Any]:
    """Return the client's settings, by librdkafka's names.

    Args:
        servers: Kafka's servers.
        config: File with lines ``name=value`` for the connection.

    Raises:
        MappingInvalid: The file cannot be read, or a line is invalid.
    """
    try:
        more = {} if config is None else read_client_file(config)
    except SimulationInvalid as error:
        raise MappingInvalid("result.kafka_config", None, str(error)) from None
    return {**more, **_FIXED, "bootstrap.servers": servers}


def read_topic(client: Mapping[str, Any], path: str, topic: str) -> Iterator[Record]:
    """Return the committed records that a topic has now.

    Args:
        client: The client's settings.
        path: The mapping's field, for errors.
        topic: The topic.

    Raises:
        EngineUnusable: Kafka does not answer, or refuses.
        ResultUnfit: There is no such topic.
    """
    problems: list[str] = []
    try:
        consumer = Consumer({**client, "error_cb": lambda error: problems.append(error.str())})
    except KafkaException as error:
        remedy = f"the client refuses it ({error.args[0].str()}); correct it"
        raise MappingInvalid("result.kafka_config", None, remedy) from None
    try:
        with _naming_problems(consumer, problems):
            ends = _assign(consumer, path, topic)
            yield from _records(consumer, ends)
    finally:
        consumer.close()


@contextmanager
def _naming_problems(consumer: Consumer, problems: list[str]) -> Iterator[None]:
    """Convert a client's error into ``EngineUnusable``; the earlier ones often have its cause."""
    try:
        yield
    except KafkaException as error:
        consumer.consume(1, _POLL_SECONDS)  # lets the client report earlier errors
        reasons = [error.args[0].str(), *problems[-1:]]
        raise EngineUnusable(
            "kafka", ": ".join(dict.fromkeys(reasons)),
            "check result.servers, result.kafka_config, the user's rights and whether Kafka runs",
        ) from None  # fmt: skip


def _assign(consumer: Consumer, path: str, topic: str) -> dict[int, int]:
    """Read a topic from its beginning on; return the end of each partition that has records."""
    # All topics: asking for one could create it.
    topics = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
    if topic not in topics:
        there = sorted(name for name in topics if not name.startswith("__"))
        names = ", ".join(there[:_SHOWN_TOPICS]) or "none that this user may read"
        raise ResultUnfit(
            f"{path}.topic", f"there is no topic {topic!r}", f"there is {names}; name one of them"
        )
    if topics[topic].error is not None:
        raise KafkaException(topics[topic].error)
    starts, ends = [], {}
    for number in topics[topic].partitions:
        place = TopicPartition(topic, number)
        low, high = consumer.get_watermark_offsets(place, timeout=_ANSWER_SECONDS)
        if high > low:
            starts.append(TopicPartition(topic, number, low))
            ends[number] = high
    if starts:
        consumer.assign(starts)
    return ends


def _records(consumer: Consumer, ends: Mapping[int, int]) -> Iterator[Record]:
    waiting, silent_seconds = set(ends), 0.0
    while waiting:
        messages = consumer.consume(_AT_ONCE, _POLL_SECONDS)
        silent_seconds = 0.0 if messages else silent_seconds + _POLL_SECONDS
        if silent_seconds >= _SILENCE_SECONDS:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  the client's constant
        for message in messages:
            error = message.error()
            if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                continue  # the client looks for the group that the judge does not use
            if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                raise KafkaException(error)
            number, offset = message.partition() or 0, message.offset() or 0
            if error is None and offset < ends[number]:
                yield number, offset, message.value()
                offset += 1
            # The last offset may hold no record: a mark of a transaction, or a compacted one.
            if offset >= ends[number] and number in waiting:
                waiting.remove(number)
                consumer.incremental_unassign([TopicPartition(message.topic() or "", number)])


def copy_topic(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: str,
    columns: Mapping[str, Column],
    records: Iterable[Record],
    decode: Decode,
) -> tuple[str, ...]:
    """Copy the mapped fields of records into a new table of texts; return its columns.

    A record without a readable event id gets its partition and offset as the id: the judge names it
    as a phantom, and a person can find it.

    Args:
        connection: The database.
        table: The table's name.
        path: The mapping's field, for errors.
        columns: The column of each field.
        records: The records.
        decode: Returns the fields of a record.

    Raises:
        ResultUnfit: No record can be decoded, or none has a field that every event has.
    """
    names = tuple(dict.fromkeys(column.column for column in columns.values()))
    id_place = names.index(columns["event_id"].column) if "event_id" in columns else None
    declared = ", ".join(f"{quoted(name)} VARCHAR" for name in names)
    connection.execute(f"CREATE TABLE {table} ({declared})")
    there: list[str] = []
    seen = [False] * len(names)
    rows: list[list[str | None]] = []
    count = size = 0
    for number, offset, value in records:
        count += 1
        size += len(value or b"")
        fields = decode(value)
        texts = record_texts(fields or {}, names)
        if fields and not there:
            there = field_names(fields)
        seen = [known or text is not None for known, text in zip(seen, texts, strict=True)]
        if id_place is not None and texts[id_place] is None:
            texts[id_place] = f"no id at partition {number}, offset {offset}"
        rows.append(texts)
        if len(rows) == _COPIED_ROWS or size >= _COPIED_BYTES:
            _insert(connection, table, names, rows)
            rows, size = [], 0
    _insert(connection, table, names, rows)
    if count:
        _check_fields(path, columns, dict(zip(names, seen, strict=True)), there)
    return names


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    names: tuple[str, ...],
    rows: list[list[str | None]],
) -> None:
    if not rows:
        return
    values = [pa.array(texts, pa.string()) for texts in zip(*rows, strict=True)]
    connection.register("copied", pa.table(values, names=list(names)))
    connection.execute(f"INSERT INTO {table} SELECT * FROM copied")  # noqa: S608  a fixed name
    connection.unregister("copied")


def _check_fields(
    path: str, columns: Mapping[str, Column], seen: Mapping[str, bool], there: list[str]
) -> None:
    """Raise an error for a field that every event has, and that no record has."""
    if not there:
        if path == "rejects":  # only what is no event at all
            return
        raise ResultUnfit(
            f"{path}.topic", "no record can be decoded",
            "set result.format, or judge a table into which the records are decoded",
        )  # fmt: skip
    for name, column in columns.items():
        is_optional = name in FIELDS and field(name).is_optional
        if not seen[column.column] and column.column not in there and not is_optional:
            raise ResultUnfit(
                f"{path}.columns.{name}", f"no record has the field {column.column!r}",
                f"name one of {', '.join(there)}",
            )  # fmt: skip
