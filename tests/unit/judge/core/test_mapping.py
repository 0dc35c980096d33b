"""The mapping file: defaults, and one sentence for each mistake."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from clickstream_judge.core.mapping import Column, EngineName, Given, KeyName, parse_mapping
from clickstream_judge.errors import MappingInvalid

GOOD: dict[str, Any] = {
    "truth": {"run": "shop"},
    "result": {"files": "a/*.parquet", "columns": {"event_id": "id", "event_time": "at"}},
}
SUMS = {"table": "sums", "keys": {"minute": "m"}, "measures": {"events": "n"}}
REJECTS = {"files": "r.csv", "columns": {"event_id": "id"}}
FILE_SUMS = SUMS | {"table": None, "files": "b.csv"}
TOPIC_SUMS = SUMS | {"table": None, "topic": "s"}


def _with(**changes: Any) -> str:  # noqa: ANN401  any value of YAML
    """Return a mapping with changed fields, named by their path with double underscores."""
    document = yaml.safe_load(yaml.safe_dump(GOOD))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = document
        for parent in parents:
            place = place[parent]
        place[last] = value
    return yaml.safe_dump(document)


def _topic(aggregates: Any = (), **fields: Any) -> str:  # noqa: ANN401  any value of YAML
    """Return a mapping of a Kafka topic with changed fields of the result."""
    topic = {"engine": "kafka", "servers": "k:9092", "topic": "t", "columns": {"event_time": "at"}}
    return _with(result=topic | fields, aggregates=list(aggregates))


def test_topics_may_be_mapped() -> None:
    """A topic needs its servers; sums beside it come from files."""
    mapping = parse_mapping(
        _topic([SUMS | {"table": None, "files": "a.csv"}], format="json-schema")
    )

    assert (mapping.result.engine, mapping.result.name) == (EngineName.KAFKA, "t")


@pytest.mark.parametrize(
    "fields",
    [
        {"format": "avro", "registry": "http://r", "registry_username": "me"},
        {"format": "avro", "schema_file": "event.avsc"},
        {"format": "protobuf", "schema_file": "event.proto", "message": "shop.Event"},
    ],
)
def test_schemas_have_one_place(fields: dict[str, str]) -> None:
    """Avro and Protobuf have their schemas in a registry or in a file."""
    result = parse_mapping(_topic(**fields)).result

    assert {name: getattr(result, name) for name in fields} == fields


def test_defaults_are_complete() -> None:
    """A short mapping has DuckDB, UTC and no late events missing."""
    mapping = parse_mapping(_with())

    assert mapping.result.engine is EngineName.DUCKDB
    assert mapping.result.columns["event_id"] == Column(column="id")
    assert mapping.late.dropped_after_seconds is None
    assert (mapping.time_zone, mapping.settles_after_seconds) == ("UTC", 60)


def test_all_fields() -> None:
    """Units, keys, measures and the policy for late events are read."""
    mapping = parse_mapping(
        _with(
            late="dropped after 1h",
            result__columns={"event_time": {"column": "ts", "unit": "ms"}},
            aggregates=[
                FILE_SUMS | {"keys": {"minute": "m"}, "time_zone": "Europe/Berlin"},
                FILE_SUMS | {"keys": {"hour": {"column": "h", "unit": "ms"}}},
            ],
        )
    )

    assert mapping.late.dropped_after_seconds == 3600
    assert mapping.result.columns["event_time"].unit == "ms"
    assert mapping.aggregates[0].keys == {KeyName.MINUTE: Column(column="m")}
    assert mapping.aggregates[0].name == "b.csv"
    assert parse_mapping(_with(late="kept")).late == parse_mapping(_with()).late


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a: [", "mapping: line 1 is not YAML"),
        ("a: 2026-13-45", "mapping: is not YAML (month must be in 1..12)"),
        ("[" * 999, "mapping: is not YAML (maximum recursion"),
        (
            "password: {hunter2",
            "is not YAML (expected ',' or '}', but got '<stream end>'); correct",
        ),
        (_with(result__columns={"event_time": False}), "event_time: False cannot be used; write a"),
        (
            _with(result__columns={"event_time": "t"}, result__only_this_run=True),
            "result.only_this_run: map the column of event_id",
        ),
        ("- a", "mapping: it must have the fields truth and result"),
        (_with(truth={}), "truth.run: the field is missing"),
        (_with(results={}), "results: there is no such field"),
        (_with(result__engine="oracle"), "result.engine: 'oracle' cannot be used"),
        (_with(result__columns={"event_time": "at", "user": "u"}), "result.columns.user: 'u'"),
        (_with(result__columns={"event_id": "id"}), "result.columns.event_time: map"),
        (_with(result__columns={}), "result.columns"),
        (
            _with(result__columns={"event_time": "at", "city": {"column": "c", "unit": "ms"}}),
            "result.columns.city.unit: 'ms' cannot be used; leave the unit out",
        ),
        (
            _with(result__columns={"event_time": {"column": "c", "unit": "major"}}),
            "'major' cannot be used; write s or ms or us",
        ),
        (_with(result__table="t"), "result: name one of table, files and topic"),
        (_with(result__files=None), "result: name one of table, files and topic"),
        (_with(result__files=None, result__table="t"), "result.connection: name the file"),
        (
            _with(result__engine="postgres", result__connection="x"),
            "engine: postgres reads no files",
        ),
        (
            _with(result__engine="postgres", result__files=None, result__table="t"),
            "result.connection: PostgreSQL needs one",
        ),
        (_with(result__files=None, result__topic="t"), "result.topic: 't' cannot be used; only"),
        (_topic(servers=None), "result.servers: Kafka needs them"),
        (_topic(topic=None, table="t"), "result.table: 't' cannot be used; engine: kafka has"),
        (_topic(topic=None, files="*.csv"), "result.files: '*.csv' cannot be used"),
        (_topic(format="xml"), "result.format: 'xml' cannot be used"),
        (
            _topic(format="avro"),
            "result.format: 'avro' cannot be used; name one of result.registry",
        ),
        (
            _topic(format="protobuf", registry="http://r", schema_file="s"),
            "result.format: 'protobuf' cannot be used; name one of result.registry",
        ),
        (_topic(registry="http://r"), "result.registry: 'http://r' cannot be used; only format"),
        (
            _topic(format="avro", schema_file="s", registry_ca_file="ca"),
            "result.registry_ca_file: 'ca' cannot be used; name result.registry too",
        ),
        (
            _topic(format="avro", schema_file="s", message="M"),
            "result.message: 'M' cannot be used; only format: protobuf with result.schema_file",
        ),
        (
            _topic(format="protobuf", registry="http://r", message="M"),
            "result.message: 'M' cannot be used; only format: protobuf with result.schema_file",
        ),
        (_with(result__schema_file="s"), "result.schema_file: 's' cannot be used; engine: duckdb"),
        (_topic(connection="x"), "result.connection: 'x' cannot be used; engine: kafka has no"),
        (_with(result__servers="x:1"), "result.servers: 'x:1' cannot be used; engine: duckdb"),
        (_with(aggregates=[TOPIC_SUMS]), "aggregates.0.topic: 's' cannot be used; only"),
        (
            _topic(aggregates=[TOPIC_SUMS]),
            "aggregates.0.topic: 's' cannot be used; sums are read from files",
        ),
        (_with(rejects={"files": "r.csv", "columns": {"reason": "r"}}), "rejects.columns.event_id"),
        (_with(rejects=REJECTS | {"table": "t"}), "rejects: name one of table, files and topic"),
        (_with(rejects=REJECTS | {"columns": {"event_id": "i", "city": "c"}}), "columns.city: map"),
        (
            _with(rejects=REJECTS, result__columns={"event_time": "at"}),
            "rejects: map result.columns.event_id too",
        ),
        (_with(late="never"), "late: 'never' cannot be used; write kept"),
        (_with(late="dropped after soon"), "late: 'dropped after soon'"),
        (_with(late="dropped by 1h"), "late: 'dropped by 1h'"),
        (_with(late="dropped after 1h or so"), "late: 'dropped after 1h or so'"),
        (_with(time_zone="Mars"), "time_zone: 'Mars' cannot be used; name a zone"),
        (_with(settles_after="soon"), "settles_after: 'soon'"),
        (_with(aggregates=[SUMS | {"files": "b"}]), "aggregates.0: name one of"),
        (_with(aggregates=[SUMS | {"measures": {}}]), "aggregates.0.measures"),
        (_with(aggregates=[SUMS | {"keys": {}}]), "aggregates.0.keys"),
        (
            _with(aggregates=[FILE_SUMS | {"keys": {"country": {"column": "c", "unit": "ms"}}}]),
            "aggregates.0.keys.country.unit: 'ms' cannot be used; leave the unit out",
        ),
        (
            _with(aggregates=[FILE_SUMS | {"keys": {"day": {"column": "d", "unit": "minor"}}}]),
            "aggregates.0.keys.day.unit: 'minor' cannot be used; write s or ms or us",
        ),
        (_with(aggregates=[SUMS | {"time_zone": "X"}]), "aggregates.0.time_zone: 'X'"),
        (
            _with(aggregates=[SUMS | {"keys": {"minute": "m", "day": "d"}}]),
            "aggregates.0.keys: 'day, minute' cannot be used",
        ),
        (_with(aggregates=[SUMS | {"keys": {"planet": "m"}}]), "aggregates.0.keys.planet"),
        (
            _with(aggregates=[SUMS | {"keys": {"product": "p"}, "measures": {"revenue": "r"}}]),
            "aggregates.0.measures.revenue: 'r' cannot be used; an order has several products",
        ),
        (
            _with(aggregates=[SUMS | {"measures": {"events": {"column": "n", "unit": "major"}}}]),
            "aggregates.0.measures.events.unit",
        ),
    ],
)
def test_mistakes_are_named(text: str, part: str) -> None:
    """Each mistake is named with its path and what to write."""
    with pytest.raises(MappingInvalid) as caught:
        parse_mapping(text)

    assert part in str(caught.value)


def test_options_replace_places() -> None:
    """With a connection of the command, the mapping decides neither the server nor the user."""
    named = {
        "engine": "postgres",
        "connection": "host=elsewhere user=mallory",
        "username_file": "theirs",
        "password_file": "theirs",
        "table": "shop.events",
        "columns": {"event_time": "at"},
    }
    given = Given("/truth", "host=db", "/etc/u", "/etc/p", "7d")

    mapping = parse_mapping(_with(result=named), given)

    assert mapping.truth.run == "/truth"
    assert mapping.result.connection == "host=db"
    assert (mapping.result.username_file, mapping.result.password_file) == ("/etc/u", "/etc/p")
    assert mapping.keeps_seconds == 7 * 86_400
    without_user = parse_mapping(_with(result=named), Given(connection="host=db"))
    assert (without_user.result.username_file, without_user.result.password_file) == (None, None)
    assert without_user.truth.run == "shop"


@pytest.mark.parametrize("engine", [{}, {"engine": "duckdb"}])
def test_connection_is_of_postgres(engine: dict[str, str]) -> None:
    """With a connection of the command, a mapping cannot read files instead."""
    result = {"files": "/etc/*.csv", "columns": {"event_time": "at"}, **engine}

    with pytest.raises(MappingInvalid, match=r"result\.engine: .*write postgres"):
        parse_mapping(_with(result=result), Given(connection="host=db"))


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"keeps": "a while"}, "keeps"),
        ({"keeps": "7d", "aggregates": [SUMS | {"table": None, "files": "b.csv"}]}, "aggregates"),
    ],
)
def test_kept_rows_are_events(changes: dict[str, Any], part: str) -> None:
    """How long rows are kept is a duration, and holds for tables of events only."""
    with pytest.raises(MappingInvalid, match=part):
        parse_mapping(_with(**changes))
