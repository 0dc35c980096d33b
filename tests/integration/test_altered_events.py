"""The ledger proves content: the verification names every change of a stored event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from batches import write_batch
from clickstream_contract.canonical import canonical_text, text_sql
from clickstream_contract.derive import postgres_columns
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS
from clickstream_contract.fields import Field, FieldType
from clickstream_contract.topics import EVENTS, LEDGER
from clickstream_generator.core.faults import plant_faults
from clickstream_streaming.core.binary_rows import BinaryRows
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.core.sql.stages import COLUMN_TYPES, RAW_COLUMNS
from clickstream_streaming.core.validation.batch import validate
from clickstream_streaming.shell.verification import VerificationReport, run_checks
from databases import batch_process
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import AsIs
from simulations import RUN_ID, START_SECONDS, carried

if TYPE_CHECKING:
    from collections.abc import Iterator

    from databases import DatabaseServer
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

pytestmark = pytest.mark.services

_SECONDS = 900
"""Long enough for orders of several lines."""
_FAULTS = (
    "  faults: {duplicatePermille: 40, latePermille: 30, maxLatenessSeconds: 3,"
    " corruptPermille: 40, futurePermille: 20, lossPermille: 30}\n"
)
_INCIDENTS = (
    "  incidents: [{name: lost, kind: TrackingLost, who: {devices: [mobile]}, at: 2m, for: 5m}]\n"
)
_EXPERIMENTS = "  experiments: [{name: one, arms: [{name: control}, {name: b}]}]\n"


def _run() -> tuple[list[bytes], list[bytes]]:
    """Return the records of a finished run with faults, and of its ledger."""
    source, shards = carried("{eventsPerSecond: 4}", _FAULTS + _INCIDENTS + _EXPERIMENTS, users=500)
    events = source.take_due(START_SECONDS + _SECONDS, 10**9)
    encoded = source.encoder.encode(events, int(1000 * (START_SECONDS + _SECONDS)))
    sources = {number: row.fault_source() for number, row in shards.items()}
    planted = plant_faults(events.rows, encoded, sources)
    for tally in (planted.tally, *(late.tally for late in planted.late)):
        for (number, minute), figures in tally.items():
            shards[number].ledger.add(minute, figures)
    entries: list[dict[str, Any]] = []
    for row in shards.values():
        row.ledger.shard_seq = row.shard.made
        entries += row.ledger.records("tested", RUN_ID, 0, 0, is_end=True)
    late = [(source.encoder.stamped(row.record[0] or b"", 2**41), b"") for row in planted.late]
    records = [value for value, _ in (*planted.records, *late) if value is not None]
    return records, [json.dumps(row).encode() for row in entries]


@pytest.fixture(scope="module")
def stored(database_server: DatabaseServer) -> Iterator[Connection]:
    """A database with a run that the stream's task has stored."""
    events, ledger = _run()
    with database_server.database() as database:
        with batch_process() as pool:
            for batch_id, (records, topic) in enumerate(((events, EVENTS), (ledger, LEDGER))):
                pool.submit(write_batch, database.settings, records, batch_id, topic.name).result()
        yield database.owner


@pytest.fixture
def cursor(stored: Connection) -> Iterator[Cursor]:
    """A cursor whose changes are rolled back."""
    with stored.cursor() as opened:
        yield opened
    stored.rollback()


def _verified(cursor: Cursor) -> VerificationReport:
    return run_checks(cursor)


def test_events_as_sent_are_clean(cursor: Cursor) -> None:
    """With planted faults and lost tracking, the stored content agrees with the ledger."""
    report = _verified(cursor)

    assert report.altered == 0
    # Of these, the incident loses most.
    assert report.planted_losses > 300
    assert report.lost == report.duplicated == report.phantom == 0
    assert report.session_mismatches == report.illegal_transitions == 0
    assert report.events_stored > 1_000
    assert report.events_rejected > 50


def _change(field: Field) -> str:
    """Return another value for a column, as SQL."""
    if field.type is FieldType.UUID:
        return "gen_random_uuid()"
    if field.name == "sent_at":
        return "event_time - interval '1 minute'"
    if field.type is FieldType.TIMESTAMP:
        return f"{field.name} + interval '1 microsecond'"
    if field.type in {FieldType.INTEGER, FieldType.BIGINT}:
        return f"{field.name} + 1"
    if field.type is FieldType.ITEMS:
        return "jsonb_set(items, '{0,price_minor}', '77')"
    return f"{field.name} || 'x'"


def _update(cursor: Cursor, change: str, which: str) -> None:
    """Change one stored event."""
    cursor.execute(
        "UPDATE raw.events SET %s WHERE event_id ="
        " (SELECT event_id FROM raw.events WHERE %s ORDER BY event_id LIMIT 1)",
        (AsIs(change), AsIs(which)),
    )
    assert cursor.rowcount == 1


@pytest.mark.parametrize("field", EVENT_FIELDS, ids=lambda field: field.name)
def test_changed_column_is_named(cursor: Cursor, field: Field) -> None:
    """A changed value of any column in one row is found, and its minute is named."""
    _update(cursor, f"{field.name} = {_change(field)}", f"{field.name} IS NOT NULL")

    report = _verified(cursor)

    assert report.altered >= 1
    wanted = "was sent before" if field.name == "sent_at" else f"content of run {RUN_ID} shard"
    assert any(wanted in example for example in report.examples)


@pytest.mark.parametrize(
    "column",
    [column for column in postgres_columns(EVENT_FIELDS) if column.nullable],
    ids=lambda column: column.name,
)
@pytest.mark.parametrize("goes", [True, False], ids=["gone", "added"])
def test_missing_or_added_value_is_named(cursor: Cursor, column: Any, *, goes: bool) -> None:  # noqa: ANN401
    """A removed or an added value is found."""
    name = column.name
    if goes:
        _update(cursor, f"{name} = NULL", f"{name} IS NOT NULL")
    else:
        other = f"(SELECT min({name}::text)::{column.type} FROM raw.events)"  # noqa: S608  contract's names
        _update(cursor, f"{name} = {other}", f"{name} IS NULL")

    assert _verified(cursor).altered >= 1


_ALTERATIONS = {
    "wrong encoding": (
        "city = convert_from(convert_to(city, 'UTF8'), 'LATIN1')",
        "city ~ '[^ -~]'",
    ),
    "shifted time zone": ("event_time = event_time + interval '1 hour'", "true"),
    "swapped columns": ("browser = os, os = browser", "os <> browser"),
    "one cent": ("value_minor = value_minor - 1", "event_name = 'view_item'"),
    "a blank at the end": ("page = page || ' '", "true"),
    "a key more in a line": ("items = jsonb_set(items, '{0,x}', '1')", "items IS NOT NULL"),
    "a number as text": ("items = jsonb_set(items, '{0,quantity}', '\"1\"')",
                         "items->0->>'quantity' = '1'"),
    "lines in another order": ("items = jsonb_build_array(items->1, items->0)",
                               "jsonb_array_length(items) = 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", _ALTERATIONS)
def test_alteration_is_named(cursor: Cursor, name: str) -> None:
    """Errors between record and row are found in one row."""
    _update(cursor, *_ALTERATIONS[name])

    assert _verified(cursor).altered >= 1


@pytest.mark.parametrize("column", ["city", "session_id", "event_time", "user_id", "page"])
def test_values_that_change_places_are_named(cursor: Cursor, column: str) -> None:
    """Two events of one minute with swapped values are found."""
    cursor.execute(
        "WITH pair AS (SELECT one.event_id AS first_id, other.event_id AS second_id,"
        " one.%(name)s AS first_value, other.%(name)s AS second_value"
        " FROM raw.events AS one INNER JOIN raw.events AS other"
        " ON one.shard = other.shard AND one.%(name)s <> other.%(name)s"
        " AND date_trunc('minute', one.event_time) = date_trunc('minute', other.event_time)"
        " LIMIT 1)"
        " UPDATE raw.events SET %(name)s ="
        " CASE event_id WHEN first_id THEN second_value ELSE first_value END"
        " FROM pair WHERE event_id IN (first_id, second_id)",
        {"name": AsIs(column)},
    )
    assert cursor.rowcount == 2

    assert _verified(cursor).altered == 1


def test_every_row_shifted_alike_is_named(cursor: Cursor) -> None:
    """The same change in all rows does not cancel out."""
    cursor.execute("UPDATE raw.events SET language = 'en-US'")
    cursor.execute("SELECT count(*) FROM ops.ledger WHERE events > 0")
    (minutes,) = cursor.fetchone() or (0,)

    assert _verified(cursor).altered == minutes


def test_replaced_event_is_named(cursor: Cursor) -> None:
    """Another event with the same id, time and name is found."""
    cursor.execute(
        "UPDATE raw.events AS changed SET (user_id, session_id, city, country, language) ="
        " (SELECT user_id, session_id, city, country, language FROM raw.events AS other"
        " WHERE other.user_id <> changed.user_id LIMIT 1)"
        " WHERE event_id = (SELECT event_id FROM raw.events LIMIT 1)"
    )

    assert _verified(cursor).altered == 1


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)


def _values(field: Field) -> st.SearchStrategy[Any]:
    """Return values of a field that the rules accept."""
    if field.values:
        is_number = field.type is FieldType.INTEGER
        return st.sampled_from([int(text) if is_number else text for text in field.values])
    if field.type is FieldType.UUID:
        return st.uuids().map(str)
    if field.type is FieldType.TIMESTAMP:
        moments = st.datetimes(datetime(2000, 1, 1), datetime(2026, 1, 1))  # noqa: DTZ001
        return moments.map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")
    if field.type is FieldType.ITEMS:
        line = st.fixed_dictionaries({item.name: _values(item) for item in ITEM_FIELDS})
        return st.lists(line, min_size=1, max_size=3, unique_by=lambda row: row["product_id"])
    if field.type is FieldType.TEXT:
        texts = st.from_regex(field.pattern, fullmatch=True) if field.pattern else _TEXTS
        return texts.map(lambda text: text[: field.max_length])
    most = 2 ** (31 if field.type is FieldType.INTEGER else 63) - 1
    return st.integers(field.minimum, field.maximum or most)


def _accepted() -> st.SearchStrategy[dict[str, Any]]:
    """Return events of any name with any fields, also invalid ones."""
    return st.sampled_from(EVENT_NAMES).flatmap(
        lambda name: st.fixed_dictionaries(
            {
                field.name: st.just(name) if field.name == "event_name" else _values(field)
                for field in EVENT_FIELDS
                if field.required and (not field.events or name in field.events)
            },
            optional={field.name: st.none() | _values(field) for field in EVENT_FIELDS
                      if not field.required or (field.events and name not in field.events)},
        )
    )  # fmt: skip


def _copied(cursor: Cursor, events: list[dict[str, Any]]) -> list[str]:
    """Return the texts that PostgreSQL builds from events stored by the stream."""
    count = len(events)
    values = [json.dumps(event, ensure_ascii=place % 2 == 0).encode()
              for place, event in enumerate(events)]  # fmt: skip
    validated = validate(
        pa.RecordBatch.from_pydict(
            {
                "topic": pa.array([EVENTS.name] * count),
                "partition": pa.array([0] * count, pa.int32()),
                "offset": pa.array(range(count), pa.int64()),
                "timestamp": pa.array([datetime.now(UTC)] * count, pa.timestamp("us", "UTC")),
                "key": pa.array([None] * count, pa.binary()),
                "value": pa.array(values, pa.binary()),
            }
        )
    )
    assert validated.rejects.num_rows == 0
    columns = ", ".join(RAW_COLUMNS)
    content = b"".join(BinaryRows(validated.events, COLUMN_TYPES).of(RAW_COLUMNS))
    cursor.execute("CREATE TEMPORARY TABLE copied (LIKE raw.events) ON COMMIT DROP")
    cursor.execute("ALTER TABLE copied ALTER COLUMN ingested_at DROP NOT NULL")
    cursor.copy_expert(f"COPY copied ({columns}) FROM STDIN (FORMAT binary)", BytesIO(content))
    cursor.execute(f"SELECT {text_sql()} FROM copied ORDER BY kafka_offset")  # noqa: S608  contract's names
    return [text for (text,) in cursor.fetchall()]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(_accepted(), min_size=1, max_size=8))
def test_python_and_postgres_write_one_text(
    stored: Connection, events: list[dict[str, Any]]
) -> None:
    """For every valid event, the text in SQL equals the text in Python."""
    with stored.cursor() as cursor:
        found = _copied(cursor, events)
    stored.rollback()

    assert found == [canonical_text(event) for event in events]


def test_samples_of_names_share_text(cursor: Cursor) -> None:
    """Each kind of event, with all the fields that it may have."""
    events = [sample_event(name) for name in EVENT_NAMES]

    assert _copied(cursor, events) == [canonical_text(event) for event in events]
