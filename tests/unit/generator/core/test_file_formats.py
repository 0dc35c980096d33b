"""Files of events: each format holds the events it was given, in their order."""

from __future__ import annotations

import csv
import gzip
import io
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickstream_generator.core.file_formats import (
    FILE_FORMATS,
    CsvFile,
    JsonLinesFile,
    ParquetFile,
)
from simulations import START_SECONDS, simulator

if TYPE_CHECKING:
    from clickstream_generator.core.file_formats import EventFile

SUFFIXES = {"jsonl": ".jsonl.gz", "csv": ".csv.gz", "parquet": ".parquet"}


@pytest.fixture(scope="module")
def values() -> list[bytes]:
    """Some thousand events."""
    source = simulator(users=400)
    return source.encoder.encode(source.take_due(START_SECONDS + 2, 10**6), 0).values


def _ids(values: list[bytes]) -> list[str]:
    return [json.loads(value)["event_id"] for value in values]


def test_json_lines_are_the_records(values: list[bytes]) -> None:
    """Each line is a record as it is, also one that is broken; one without a value is empty."""
    file = JsonLinesFile()
    file.add([*values[:10], b"<html>"])
    file.add([b"", *values[10:]])

    lines = gzip.decompress(file.content()).split(b"\n")
    assert lines == [*values[:10], b"<html>", b"", *values[10:], b""]


def test_csv_has_one_header(values: list[bytes]) -> None:
    """A CSV file has a header and a row per event, also if it is made in pieces."""
    file = CsvFile()
    file.add(values[:10])
    file.add(values[10:])

    rows = list(csv.DictReader(io.StringIO(gzip.decompress(file.content()).decode())))
    assert [row["event_id"] for row in rows] == _ids(values)
    assert [row["event_time"] for row in rows] == [
        json.loads(value)["event_time"] for value in values
    ]


@pytest.mark.parametrize("kind", [JsonLinesFile, CsvFile])
def test_text_files_are_compressed(kind: type[EventFile], values: list[bytes]) -> None:
    """A file of text is far smaller than its events."""
    file = kind()
    file.add(values)

    assert 5 * len(file.content()) < len(b"".join(values))


def test_parquet_has_every_event(values: list[bytes]) -> None:
    """A Parquet file has every event, in groups of at least 20,000 rows and the rest."""
    wanted = (7 * values)[:20_002]
    file = ParquetFile()
    for start, stop in ((0, 10), (10, 19_999), (19_999, 20_000), (20_000, 20_002)):
        file.add(wanted[start:stop])

    made = pq.ParquetFile(pa.BufferReader(file.content()))
    groups = [made.metadata.row_group(at).num_rows for at in range(made.num_row_groups)]
    assert groups == [20_000, 2]
    assert made.read()["event_id"].to_pylist() == _ids(wanted)


@pytest.mark.parametrize("name", FILE_FORMATS)
def test_format_has_its_suffix(name: str) -> None:
    """Each format has its suffix, and ``has_columns`` only with columns."""
    assert FILE_FORMATS[name].suffix == SUFFIXES[name]
    assert FILE_FORMATS[name].has_columns == (name != "jsonl")
