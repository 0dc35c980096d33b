"""The mapping: which table and columns hold the result, and where the truth is.

Owns the mapping file's fields, their defaults and their errors. Paths are relative to the file.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003  pydantic reads the annotations
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from clickstream_contract.duration import duration_seconds
from clickstream_contract.output import Encoding
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from clickstream_judge.core.fields import FIELDS, Comparison
from clickstream_judge.errors import MappingInvalid

__all__ = [
    "TIME_KEYS", "AggregateTable", "Column", "EngineName", "Given", "JudgeMapping", "KeyName",
    "Late", "MeasureName", "Place", "RecordFormat", "Rejects", "Result", "parse_mapping",
]  # fmt: skip


class EngineName(StrEnum):
    """The engines that the judge can ask."""

    DUCKDB = "duckdb"
    POSTGRES = "postgres"
    KAFKA = "kafka"


class RecordFormat(StrEnum):
    """The formats of a topic's records that the judge reads."""

    JSON = Encoding.JSON.value
    JSON_SCHEMA = Encoding.JSON_SCHEMA.value
    """JSON after the header of a schema registry."""
    AVRO = Encoding.AVRO.value
    PROTOBUF = Encoding.PROTOBUF.value


class KeyName(StrEnum):
    """The keys of an aggregate table."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    COUNTRY = "country"
    DEVICE = "device"
    CHANNEL = "channel"
    PRODUCT = "product"
    EVENT_NAME = "event_name"
    SIMULATION = "simulation"


class MeasureName(StrEnum):
    """The measures of an aggregate table."""

    EVENTS = "events"
    USERS = "users"
    SESSIONS = "sessions"
    REVENUE = "revenue"
    ORDERS = "orders"


_SCHEMA_SETTINGS = (
    "registry", "registry_username", "registry_password_file", "registry_ca_file", "schema_file",
    "message",
)  # fmt: skip
TIME_KEYS = (KeyName.MINUTE, KeyName.HOUR, KeyName.DAY)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Column(_Part):
    """A column of the result.

    Attributes:
        column: Its name.
        unit: Of money, ``minor`` (hundredths) or ``major`` (with a fraction); of a time that is a
            number, ``s``, ``ms`` or ``us`` since 1970.
    """

    column: str
    unit: Literal["minor", "major", "s", "ms", "us"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        return {"column": value} if isinstance(value, str) else value


class Place(_Part):
    """A table, files or a topic; the mapping names one of them.

    Attributes:
        table: The table or view, with its schema if it has one.
        files: A pattern of Parquet, CSV or JSON lines files.
        topic: A Kafka topic.
    """

    table: str | None = None
    files: str | None = None
    topic: str | None = None

    @property
    def name(self) -> str:
        """The table, files or topic."""
        return self.table or self.files or self.topic or ""


class Result(Place):
    """The table of events.

    Attributes:
        engine: The engine to ask.
        connection: For PostgreSQL a URL or ``name=value`` words; for DuckDB its file.
        username_file: For PostgreSQL: file with the user's name.
        password_file: For PostgreSQL: file with the password.
        servers: For Kafka: its servers, ``host:port`` separated by commas.
        kafka_config: For Kafka: file of client settings, by librdkafka's names.
        format: For Kafka: the format of the records; JSON if absent.
        registry: For Avro and Protobuf: the URL of the schema registry whose numbers the records
            begin with.
        registry_username: The registry's user.
        registry_password_file: File with the password of the registry's user.
        registry_ca_file: CA certificates that verify the registry's certificate.
        schema_file: For Avro and Protobuf without a registry: the schema, a file ``.avsc`` or
            ``.proto``.
        message: For Protobuf with ``schema_file``: the full name of the message.
        columns: The column of each field.
        only_this_run: Leave out rows whose event id belongs to another run.
    """

    engine: EngineName = EngineName.DUCKDB
    connection: str | None = None
    username_file: str | None = None
    password_file: str | None = None
    servers: str | None = None
    kafka_config: str | None = None
    format: RecordFormat | None = None
    registry: str | None = None
    registry_username: str | None = None
    registry_password_file: str | None = None
    registry_ca_file: str | None = None
    schema_file: str | None = None
    message: str | None = None
    columns: Mapping[str, Column] = Field(min_length=1)
    only_this_run: bool = False

    @model_validator(mode="after")
    def _run_by_ids(self) -> Self:
        if self.only_this_run and "event_id" not in self.columns:
            raise MappingInvalid(
                "result.only_this_run", None, "map the column of event_id, or leave it out"
            )
        return self

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        for name, column in columns.items():
            if name not in FIELDS:
                raise MappingInvalid(
                    f"result.columns.{name}", column.column, f"map one of {', '.join(FIELDS)}"
                )
            _check_unit(f"result.columns.{name}", column, FIELDS[name])
        if "event_time" not in columns:
            raise MappingInvalid(
                "result.columns.event_time", None, "map the column with the time of the event"
            )
        return columns


class Rejects(Place):
    """Where the pipeline puts events aside; the engine and its connection are the result's.

    Attributes:
        columns: The columns of ``event_id`` and, if there is one, of ``reason``.
    """

    columns: Mapping[str, Column]

    @field_validator("columns")
    @classmethod
    def _identified(cls, columns: Mapping[str, Column]) -> Mapping[str, Column]:
        for name in columns.keys() - {"event_id", "reason"}:
            raise MappingInvalid(f"rejects.columns.{name}", None, "map event_id and reason only")
        if "event_id" not in columns:
            raise MappingInvalid("rejects.columns.event_id", None, "map the column of event_id")
        for name, column in columns.items():
            _check_unit(f"rejects.columns.{name}", column, Comparison.TEXT)
        return columns


class AggregateTable(Place):
    """A table of sums; the engine and its connection are the result's.

    Attributes:
        keys: The column of each key; at most one of minute, hour and day.
        measures: The column of each measure.
        time_zone: The zone in which a day begins.
    """

    keys: Mapping[KeyName, Column] = Field(min_length=1)
    measures: Mapping[MeasureName, Column] = Field(min_length=1)
    time_zone: str = "UTC"


class Late(_Part):
    """The policy for late events.

    Attributes:
        dropped_after_seconds: Events later than this may be missing; ``None`` if none may.
    """

    dropped_after_seconds: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if value == "kept":
            return {}
        words = str(value).split()
        if words[:2] == ["dropped", "after"] and len(words) == 3:
            try:
                return {"dropped_after_seconds": duration_seconds(words[2])}
            except ValueError:
                pass
        raise MappingInvalid("late", value, "write kept, or dropped after 1h")


class Truth(_Part):
    """The truth.

    Attributes:
        run: A run's folder, or its run record.
        ledger: Ledger files, if they are not beside the run record.
    """

    run: str
    ledger: str | None = None


class JudgeMapping(_Part):
    """A mapping file.

    Attributes:
        truth: The run.
        result: The table of events.
        rejects: The events that the pipeline put aside.
        aggregates: Tables of sums.
        late: The policy for late events.
        time_zone: The zone of times that name none.
        settles_after: How long the pipeline may take to store an event, during the run.
        keeps: How long the table keeps a row; earlier minutes are not judged. ``None`` for ever.
    """

    truth: Truth
    result: Result
    rejects: Rejects | None = None
    aggregates: tuple[AggregateTable, ...] = ()
    late: Late = Late.model_construct()
    time_zone: str = "UTC"
    settles_after: str = "1m"
    keeps: str | None = None

    @property
    def settles_after_seconds(self) -> int:
        """The time that the pipeline may take, in seconds."""
        return duration_seconds(self.settles_after)

    @property
    def keeps_seconds(self) -> int | None:
        """How long the table keeps a row, in seconds."""
        return None if self.keeps is None else duration_seconds(self.keeps)


@dataclass(frozen=True)
class Given:
    """What the command's options replace in a mapping; ``None`` leaves the mapping's value.

    Attributes:
        truth: The run's folder.
        connection: Of PostgreSQL. With it, the mapping's user and password do not count.
        username_file, password_file: Files with the user's name and the password.
        keeps: As in the mapping.
    """

    truth: str | None = None
    connection: str | None = None
    username_file: str | None = None
    password_file: str | None = None
    keeps: str | None = None

    def applied(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a mapping's document with these values.

        Raises:
            MappingInvalid: The connection is PostgreSQL's, and the mapping has another engine.
        """
        changed = dict(document)
        if self.truth is not None:
            changed["truth"] = {"run": self.truth}
        if self.keeps is not None:
            changed["keeps"] = self.keeps
        result = changed.get("result")
        if self.connection is None or not isinstance(result, dict):
            return changed
        if result.get("engine") != EngineName.POSTGRES.value:
            raise MappingInvalid(
                "result.engine", result.get("engine"), "write postgres, as --connection is given"
            )
        place = {
            "connection": self.connection,
            "username_file": self.username_file,
            "password_file": self.password_file,
        }
        return changed | {"result": result | place}


def parse_mapping(text: str, given: Given = Given()) -> JudgeMapping:
    """Return the mapping of a file's text.

    Args:
        text: YAML.
        given: What the command's options replace.

    Raises:
        MappingInvalid: Names the field.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        # Not the text around it, which may have a password.
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        raise MappingInvalid(
            "mapping", None, f"line {line} is not YAML ({error.problem}); correct it"
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date such as 2026-13-45, or ten thousand brackets.
        raise MappingInvalid("mapping", None, f"is not YAML ({error}); correct it") from None
    if not isinstance(document, dict):
        raise MappingInvalid("mapping", None, "it must have the fields truth and result")
    try:
        mapping = JudgeMapping.model_validate(given.applied(document))
    except ValidationError as error:
        raise _first_problem(error) from None
    _check_places(mapping)
    return mapping


def _first_problem(error: ValidationError) -> MappingInvalid:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return MappingInvalid(path, None, "there is no such field; remove it, or correct its name")
    if first["type"] == "missing":
        return MappingInvalid(path, None, "the field is missing; add it")
    if first["type"] == "model_type" and first["loc"][0] != "truth":
        remedy = "write a name; in quotes if it is a number, or a word such as no"
        return MappingInvalid(path, first["input"], remedy)
    value = first.get("input")
    shown = value if isinstance(value, (str, int, float)) else None
    return MappingInvalid(path.removesuffix(".[key]"), shown, first["msg"])


def _check_places(mapping: JudgeMapping) -> None:
    """Raise an error for parts that do not fit together."""
    rejects = [] if mapping.rejects is None else [("rejects", mapping.rejects)]
    for path, place in [("result", mapping.result), *rejects, *_aggregates(mapping)]:
        _check_place(path, place, mapping.result.engine)
    _check_engine(mapping.result)
    if rejects and "event_id" not in mapping.result.columns:
        raise MappingInvalid("rejects", None, "map result.columns.event_id too, or leave them out")
    for path, zone in [
        ("time_zone", mapping.time_zone),
        *((f"{path}.time_zone", row.time_zone) for path, row in _aggregates(mapping)),
    ]:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):
            raise MappingInvalid(path, zone, "name a zone such as Europe/Berlin") from None
    _check_durations(mapping)
    for path, table in _aggregates(mapping):
        _check_aggregate(path, table)


def _check_place(path: str, place: Place, engine: EngineName) -> None:
    """Raise an error unless a place is named once, and the engine has such places."""
    if sum(name is not None for name in (place.table, place.files, place.topic)) != 1:
        raise MappingInvalid(path, None, "name one of table, files and topic")
    is_kafka = engine is EngineName.KAFKA
    if place.files is not None and engine is EngineName.POSTGRES:
        raise MappingInvalid(f"{path}.files", place.files, "engine: postgres reads no files")
    if place.table is not None and is_kafka:
        raise MappingInvalid(f"{path}.table", place.table, "engine: kafka has topics, no tables")
    if place.topic is not None and not is_kafka:
        raise MappingInvalid(f"{path}.topic", place.topic, "only engine: kafka reads topics")
    if place.topic is not None and isinstance(place, AggregateTable):
        raise MappingInvalid(
            f"{path}.topic", place.topic, "sums are read from files; write the topic into some"
        )


def _check_engine(result: Result) -> None:
    """Raise an error for settings that the engine needs and lacks, or has no use for."""
    engine = result.engine
    if engine is EngineName.POSTGRES and result.connection is None:
        raise MappingInvalid("result.connection", None, "PostgreSQL needs one, such as host=db")
    if result.table is not None and result.connection is None:
        raise MappingInvalid("result.connection", None, "name the file of the DuckDB database")
    if engine is EngineName.KAFKA and result.files is not None:
        raise MappingInvalid("result.files", result.files, "engine: kafka needs result.topic")
    if engine is EngineName.KAFKA and not result.servers:
        raise MappingInvalid("result.servers", None, "Kafka needs them, such as localhost:9092")
    of_kafka = (EngineName.KAFKA,)
    users = {
        "connection": (EngineName.POSTGRES, EngineName.DUCKDB),
        **dict.fromkeys(("username_file", "password_file"), (EngineName.POSTGRES,)),
        **dict.fromkeys(("servers", "kafka_config", "format", *_SCHEMA_SETTINGS), of_kafka),
    }
    for name, engines in users.items():
        value = getattr(result, name)
        if value is not None and engine not in engines:
            remedy = f"engine: {engine.value} has no such setting; remove it"
            raise MappingInvalid(f"result.{name}", value, remedy)
    _check_schema(result)


def _check_schema(result: Result) -> None:
    """Raise an error unless Avro and Protobuf have one schema, and JSON has none."""
    has_schema = result.format in {RecordFormat.AVRO, RecordFormat.PROTOBUF}
    if has_schema and (result.registry is None) == (result.schema_file is None):
        found, remedy = result.format, "name one of result.registry and result.schema_file"
        raise MappingInvalid("result.format", found.value if found else None, remedy)
    for name in _SCHEMA_SETTINGS:
        value = getattr(result, name)
        if value is None:
            continue
        path = f"result.{name}"
        if not has_schema:
            raise MappingInvalid(path, value, "only format: avro and format: protobuf use it")
        if name.startswith("registry_") and result.registry is None:
            raise MappingInvalid(path, value, "name result.registry too, or remove it")
    if result.message is not None and (
        result.format is not RecordFormat.PROTOBUF or result.schema_file is None
    ):
        remedy = "only format: protobuf with result.schema_file uses it; remove it"
        raise MappingInvalid("result.message", result.message, remedy)


def _check_durations(mapping: JudgeMapping) -> None:
    for path, duration in (("settles_after", mapping.settles_after), ("keeps", mapping.keeps)):
        try:
            duration_seconds("1s" if duration is None else duration)
        except ValueError:
            raise MappingInvalid(path, duration, "write a duration such as 90s") from None
    if mapping.keeps is not None and mapping.aggregates:
        raise MappingInvalid("keeps", mapping.keeps, "leave it out, or leave the aggregates out")


def _check_aggregate(path: str, table: AggregateTable) -> None:
    times = [key.value for key in table.keys if key in TIME_KEYS]
    if len(times) > 1:
        raise MappingInvalid(f"{path}.keys", ", ".join(times), "map one of minute, hour and day")
    for key, column in table.keys.items():
        is_time = key in TIME_KEYS
        _check_unit(f"{path}.keys.{key}", column, Comparison.TIME if is_time else Comparison.TEXT)
    for measure, column in table.measures.items():
        is_money = measure is MeasureName.REVENUE
        kind = Comparison.MONEY if is_money else Comparison.INTEGER
        _check_unit(f"{path}.measures.{measure}", column, kind)
        if KeyName.PRODUCT in table.keys and measure in {MeasureName.REVENUE, MeasureName.ORDERS}:
            raise MappingInvalid(
                f"{path}.measures.{measure}",
                column.column,
                "an order has several products, so it has no sum by product; leave it out",
            )


def _check_unit(path: str, column: Column, kind: Comparison) -> None:
    allowed: dict[Comparison, tuple[str, ...]] = {
        Comparison.MONEY: ("minor", "major"),
        Comparison.TIME: ("s", "ms", "us"),
    }
    units = allowed.get(kind, ())
    if column.unit is not None and column.unit not in units:
        remedy = f"write {' or '.join(units)}" if units else "leave the unit out"
        raise MappingInvalid(f"{path}.unit", column.unit, remedy)


def _aggregates(mapping: JudgeMapping) -> list[tuple[str, Any]]:
    return [(f"aggregates.{place}", row) for place, row in enumerate(mapping.aggregates)]
