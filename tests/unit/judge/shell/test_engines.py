"""Engines: what is not there is named with what is there, and nothing can be written."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from unittest import mock

import duckdb
import pytest
import yaml
from clickstream_judge.core.mapping import parse_mapping
from clickstream_judge.errors import EngineUnusable, JudgeError, ResultUnfit
from clickstream_judge.shell import engines
from clickstream_judge.shell.engines import open_engine

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_judge.core.mapping import Result


def _result(**fields: Any) -> Result:  # noqa: ANN401  any value of YAML
    document = {"truth": {"run": "."}, "result": fields | {"columns": {"event_time": "at"}}}
    return parse_mapping(yaml.safe_dump(document)).result


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a folder with a DuckDB database of one table."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("CREATE TABLE events AS SELECT range AS n FROM range(25000)")
    return tmp_path


def test_database_is_read_only(shop: Path) -> None:
    """A statement that writes is refused by DuckDB itself."""
    result = _result(connection="shop.duckdb", table="events")

    with open_engine(result, shop, "UTC") as engine:
        source = engine.source("result", result, {})
        assert dict(source.types) == {"n": "BIGINT"}
        assert sum(row[0] for row in engine.ask("SELECT n FROM events")) == 25_000 * 24_999 // 2
        with pytest.raises(EngineUnusable, match="read-only"):
            list(engine.ask("CREATE TABLE more (n int)"))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"connection": "shop.duckdb", "table": "orders"}, "there is events; name one of them"),
        ({"connection": "nowhere.duckdb", "table": "events"}, "there is no file"),
        ({"connection": "broken.duckdb", "table": "events"}, "duckdb: "),
        ({"files": "nowhere*.parquet"}, "no file matches"),
        ({"files": "*.xls"}, "does not say which files it means"),
        ({"files": "broken.parquet"}, "check whether broken.parquet can be read"),
    ],
)
def test_what_is_not_there(shop: Path, fields: dict[str, str], part: str) -> None:
    """Each failure is one sentence with the place and what to do."""
    for name in ("broken.parquet", "broken.duckdb"):
        (shop / name).write_bytes(b"this is no database" * 1000)
    result = _result(**fields)

    with pytest.raises(JudgeError) as caught, open_engine(result, shop, "UTC") as engine:
        engine.source("result", result, {})

    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_driver(tmp_path: Path) -> None:
    """Without its driver, PostgreSQL is named with what to install."""
    result = _result(engine="postgres", connection="host=db", table="events")

    with (
        mock.patch.object(engines, "import_module", side_effect=ImportError),
        pytest.raises(EngineUnusable, match=r"pip install 'clickstream-judge\[postgres\]'"),
        open_engine(result, tmp_path, "UTC"),
    ):
        pass


def test_silent_postgres(tmp_path: Path) -> None:
    """A server that takes the connection and says nothing is given up, and named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"host=127.0.0.1 port={listener.getsockname()[1]} connect_timeout=2"
        with (
            pytest.raises(EngineUnusable, match=r"127.0.0.1:\d+ does not let us in: .*timeout"),
            open_engine(_result(engine="postgres", connection=place, table="a"), tmp_path, "UTC"),
        ):
            pass


def test_values_that_cannot_be_read(shop: Path) -> None:
    """An error within a statement names the engine."""
    with (
        open_engine(_result(connection="shop.duckdb", table="events"), shop, "UTC") as engine,
        pytest.raises(EngineUnusable, match="duckdb: "),
    ):
        list(engine.ask("SELECT CAST('x' AS integer) FROM events"))


def test_missing_table_of_an_empty_database(tmp_path: Path) -> None:
    """A database without tables says so."""
    with duckdb.connect(str(tmp_path / "empty.duckdb")):
        pass

    with (
        pytest.raises(ResultUnfit, match="there is nothing"),
        open_engine(
            result := _result(connection="empty.duckdb", table="a"), tmp_path, "UTC"
        ) as engine,
    ):
        engine.source("result", result, {})


def test_zone_of_statements(shop: Path) -> None:
    """A time without a zone is read in the mapping's zone."""
    with open_engine(
        _result(connection="shop.duckdb", table="events"), shop, "Europe/Berlin"
    ) as engine:
        statement = (
            f"SELECT {engine.dialect.milliseconds.format('TIMESTAMP ' + repr('1970-01-02'))}"
        )
        assert list(engine.ask(statement)) == [(23 * 3_600_000,)]


def test_variables_are_no_tables(shop: Path) -> None:
    """A table's name does not find a variable of the judge."""
    with (
        open_engine(
            result := _result(connection="shop.duckdb", table="sql"), shop, "UTC"
        ) as engine,
        pytest.raises(ResultUnfit, match="there is no table 'sql'; there is events"),
    ):
        engine.source("result", result, {})


def test_digits_stay_texts(tmp_path: Path) -> None:
    """Digits in a CSV file are texts, and its times are times."""
    (tmp_path / "a.csv").write_text("id,at\n007,2026-01-01 00:00:00\n", "utf-8")

    with open_engine(result := _result(files="a.csv"), tmp_path, "UTC") as engine:
        types = engine.source("result", result, {}).types
        assert dict(types) == {"id": "VARCHAR", "at": "TIMESTAMP"}
