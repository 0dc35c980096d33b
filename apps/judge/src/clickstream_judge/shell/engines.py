"""The engines that hold results: one seam, which asks and returns rows in pages.

Owns how an engine is opened so that nothing can be written, and the text of its failures. Passwords
come from files or from the engine's own means, and are never in a message.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from clickstream_judge.core.dialect import DUCKDB, POSTGRES, Dialect, quoted_table, text_literal
from clickstream_judge.core.mapping import EngineName
from clickstream_judge.core.statements import Source
from clickstream_judge.errors import EngineUnusable, MappingInvalid, ResultUnfit
from clickstream_judge.shell.decoding import record_decoder
from clickstream_judge.shell.topics import client_settings, copy_topic, read_topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clickstream_judge.core.mapping import Column, Place, Result

__all__ = ["Engine", "open_engine"]

_PAGE_ROWS = 10_000
_DUCKDB_MEMORY = "512MB"
_POSTGRES_WAITS = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
"""When a PostgreSQL that does not answer is given up, in libpq's words; a query may take long."""
_LOCK_SECONDS = 60
_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".json": "read_json"}
_COMPRESSIONS = (".gz", ".zst")


class Engine(Protocol):
    """An engine, asked in one snapshot of its data where it has any."""

    dialect: Dialect

    def source(self, path: str, place: Place, columns: Mapping[str, Column]) -> Source:
        """Return a table, files or a topic with their columns.

        Args:
            path: The mapping's field, for errors.
            place: The table, files or topic.
            columns: The column of each field; only they are read from a topic.

        Raises:
            EngineUnusable: The engine fails.
            ResultUnfit: There is no such table, file or topic.
        """

    def ask(self, statement: str) -> Iterator[Sequence[Any]]:
        """Return the rows of a statement; memory holds one page of them.

        Raises:
            EngineUnusable: The engine fails.
        """


@contextmanager
def open_engine(result: Result, folder: Path, time_zone: str) -> Iterator[Engine]:
    """Open the engine of a result for reading only.

    Args:
        result: The result's mapping.
        folder: The folder of the mapping; relative paths begin there.
        time_zone: The zone of times that name none.

    Raises:
        EngineUnusable: The engine is not installed, or does not answer.
        ResultUnfit: The database's file does not exist.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-judge-") as spill:
        if result.engine is EngineName.POSTGRES:
            yield from _postgres(result, folder, time_zone)
        else:
            yield from _duckdb(result, folder, time_zone, Path(spill))


class _DuckDB:
    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.dialect = DUCKDB
        self._connection, self._folder = connection, folder

    def source(self, path: str, place: Place, columns: Mapping[str, Column]) -> Source:
        del columns
        if place.files is not None:
            sql = self._files_sql(path, place.files)
        else:
            sql = quoted_table(place.name)
        try:
            rows = self._connection.execute(f"DESCRIBE SELECT * FROM {sql}").fetchall()  # noqa: S608  quoted
        except duckdb.CatalogException:
            there = self._connection.execute(
                "SELECT concat_ws('.', nullif(table_schema, 'main'), table_name)"
                " FROM information_schema.tables ORDER BY 1"
            ).fetchall()
            names = ", ".join(row[0] for row in there) or "nothing"
            raise ResultUnfit(
                path, f"there is no table {place.table!r}", f"there is {names}; name one of them"
            ) from None
        except duckdb.Error as error:
            raise EngineUnusable(
                "duckdb", _line(error), f"check whether {place.name} can be read"
            ) from None
        return Source(sql, place.name, {row[0]: row[1] for row in rows})

    def ask(self, statement: str) -> Iterator[Sequence[Any]]:
        try:
            cursor = self._connection.cursor()
            cursor.execute(statement)
            while page := cursor.fetchmany(_PAGE_ROWS):
                yield from page
        except duckdb.Error as error:
            raise EngineUnusable(
                "duckdb", _line(error), "check the columns' values and the free disk space"
            ) from None

    def _files_sql(self, path: str, files: str) -> str:
        pattern = self._folder / files
        suffixes = [part for part in Path(files).suffixes if part not in _COMPRESSIONS]
        suffix = suffixes[-1] if suffixes else ""
        reader = _READERS.get({".jsonl": ".json", ".ndjson": ".json"}.get(suffix, suffix))
        if reader is None:
            raise ResultUnfit(
                path, f"{files!r} does not say which files it means",
                "end the pattern with .parquet, .csv, .jsonl, .csv.gz or .jsonl.gz",
            )  # fmt: skip
        rows = self._connection.execute("SELECT 1 FROM glob(?) LIMIT 1", [str(pattern)]).fetchall()
        if not rows:
            raise ResultUnfit(
                path, f"no file matches {pattern}", "correct the pattern; it is relative to the"
                " mapping file",
            )  # fmt: skip
        # A folder day=2026-11-29 is no column. Texts are not guessed from a sample of lines.
        options = ", hive_partitioning = false, union_by_name = true"
        if reader == "read_csv":
            # Numbers stay texts: a product may have the id 007.
            options += ", header = true, sample_size = -1, auto_type_candidates ="
            options += " ['DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'VARCHAR']"
        elif reader == "read_json":
            options += ", format = 'newline_delimited', sample_size = -1"
        return f"{reader}({text_literal(str(pattern))}{options})"


class _Kafka(_DuckDB):
    """Topics, which are copied into tables of a DuckDB on disk when they are first asked for."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, result: Result) -> None:
        super().__init__(connection, folder)
        config = None if result.kafka_config is None else folder / result.kafka_config
        self._client = client_settings(str(result.servers), config)
        self._decode = record_decoder(result, folder)

    def source(self, path: str, place: Place, columns: Mapping[str, Column]) -> Source:
        if place.topic is None:
            return super().source(path, place, columns)
        table = f"topic_{path}"
        try:
            names = copy_topic(
                self._connection, table, path, columns,
                read_topic(self._client, path, place.topic), self._decode,
            )  # fmt: skip
        except duckdb.Error as error:
            raise EngineUnusable(
                "duckdb", _line(error), "make room in the folder that TMPDIR names"
            ) from None
        return Source(table, f"topic {place.topic}", dict.fromkeys(names, "VARCHAR"))


def _duckdb(result: Result, folder: Path, time_zone: str, spill: Path) -> Iterator[Engine]:
    file = None if result.connection is None else folder / result.connection
    if file is not None and not file.is_file():
        raise ResultUnfit(
            "result.connection", f"there is no file {file}", "name the file of the database"
        )
    try:
        if result.engine is EngineName.KAFKA:
            connection = duckdb.connect(str(spill / "topics.duckdb"))
        elif file is None:
            connection = duckdb.connect(":memory:")
        else:
            connection = duckdb.connect(str(file), read_only=True)
        for name, value in (
            ("memory_limit", _DUCKDB_MEMORY),
            ("temp_directory", str(spill)),
            ("TimeZone", time_zone),
            ("preserve_insertion_order", "false"),
            # A table's name must not find a variable of this program, or load an extension.
            ("python_enable_replacements", "false"),
            ("autoinstall_known_extensions", "false"),
        ):
            # Global: each statement has its own cursor, which has no other settings.
            connection.execute(f"SET GLOBAL {name} = {text_literal(value)}")
    except duckdb.Error as error:
        raise EngineUnusable("duckdb", _line(error), "check the file and its writers") from None
    try:
        if result.engine is EngineName.KAFKA:
            yield _Kafka(connection, folder, result)
        else:
            yield _DuckDB(connection, folder)
    finally:
        connection.close()


class _Postgres:
    def __init__(self, connection: Any, error: type[Exception]) -> None:  # noqa: ANN401  psycopg is optional
        self.dialect = POSTGRES
        self._connection, self._error = connection, error
        self._number = 0

    def source(self, path: str, place: Place, columns: Mapping[str, Column]) -> Source:
        del columns
        table = place.name
        sql = quoted_table(table)
        rows = self._all(
            # An enum is a text, and a domain is the type that it limits.
            "SELECT attname, CASE typtype WHEN 'e' THEN 'enum'"
            " WHEN 'd' THEN format_type(typbasetype, typtypmod)"
            " ELSE format_type(atttypid, atttypmod) END"
            " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            sql,
        )
        if not rows:
            there = self._all(
                "SELECT table_schema || '.' || table_name FROM information_schema.tables"
                " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
                " ORDER BY 1 LIMIT 50"
            )
            names = ", ".join(row[0] for row in there) or "none that this user may read"
            raise ResultUnfit(
                path, f"there is no table {table!r}", f"there is {names}; name one of them"
            )
        return Source(sql, table, dict(rows))

    def ask(self, statement: str) -> Iterator[Sequence[Any]]:
        self._number += 1
        try:
            # A cursor on the server: the client holds one page.
            with self._connection.cursor(name=f"judge_{self._number}") as cursor:
                cursor.itersize = _PAGE_ROWS
                cursor.execute(statement)
                yield from cursor
        except self._error as error:
            raise EngineUnusable(
                "postgres", _line(error), "check the columns' values, the user's rights and the"
                " server",
            ) from None  # fmt: skip

    def _all(self, statement: str, *values: str) -> list[Any]:
        try:
            return list(self._connection.execute(statement, values).fetchall())
        except self._error as error:
            raise EngineUnusable("postgres", _line(error), "check the server") from None


def _postgres(result: Result, folder: Path, time_zone: str) -> Iterator[Engine]:
    try:
        psycopg = import_module("psycopg")
    except ImportError:
        raise EngineUnusable(
            "postgres", "the driver is not installed", "pip install 'clickstream-judge[postgres]'"
        ) from None
    try:
        words = psycopg.conninfo.conninfo_to_dict(result.connection)
    except psycopg.Error:
        # The text of libpq's error may have the password.
        raise MappingInvalid(
            "result.connection", None, "write a URL, or words such as host=db dbname=shop user=me"
        ) from None
    if "password" in words:
        raise MappingInvalid(
            "result.connection", None, "leave the password out, and name its file in password_file"
        )
    words = _POSTGRES_WAITS | words
    read_only = f"-c default_transaction_read_only=on -c TimeZone={time_zone}"
    options = f"-c lock_timeout={_LOCK_SECONDS}s {words.get('options', '')} {read_only}"
    if result.username_file is not None:
        words["user"] = _content("result.username_file", folder / result.username_file)
    if result.password_file is not None:
        words["password"] = _content("result.password_file", folder / result.password_file)
    place = (
        f"{words.get('host', 'localhost')}:{words.get('port', os.environ.get('PGPORT', '5432'))}"
    )
    try:
        connection = psycopg.connect(**words | {"client_encoding": "UTF8", "options": options})
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
    except psycopg.Error as error:
        raise EngineUnusable(
            "postgres", f"{place} does not let us in: {_line(error)}",
            "check the connection, user and password, and whether the server runs",
        ) from None  # fmt: skip
    try:
        yield _Postgres(connection, psycopg.Error)
    finally:
        connection.close()


def _content(path: str, file: Path) -> str:
    """Return the content of a file that the mapping's field names."""
    try:
        return file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MappingInvalid(path, str(file), f"the file cannot be read ({reason})") from None


def _line(error: Exception) -> str:
    """Return the first line of an engine's error."""
    text = str(error).strip() or type(error).__name__
    return re.sub(r"\s+", " ", text.splitlines()[0])[:300]
