"""The judge on a real PostgreSQL: clean data, planted defects, the documented ten minutes."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.csv as pa_csv
import pytest
import yaml
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES
from clickstream_contract.fields import FieldType
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.mapping import parse_mapping
from clickstream_judge.errors import JudgeError
from clickstream_judge.shell.judging import judge
from clickstream_local.postgres import binary
from judged import Run, make_run, shared_runs, sums_by_minute

if TYPE_CHECKING:
    from clickstream_judge.core.report import Report
    from databases import Database

pytestmark = pytest.mark.services

ROOT = Path(__file__).parents[2]
TYPES = {
    FieldType.TEXT: "text", FieldType.UUID: "uuid", FieldType.TIMESTAMP: "timestamptz",
    FieldType.INTEGER: "integer", FieldType.BIGINT: "bigint", FieldType.ITEMS: "jsonb",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a small run."""
    folder: Path = tmp_path_factory.mktemp("judged")
    return make_run(folder)


@pytest.fixture
def loaded(database: Database, run: Run) -> Database:
    """Return a database with the run's events in shop.events, and sums in shop.sums."""
    columns = ", ".join(f"{row.name} {TYPES[row.type]}" for row in EVENT_FIELDS)
    with database.owner, database.owner.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA shop; CREATE TABLE shop.events ({columns})")
        cursor.execute(
            "CREATE TABLE shop.sums (minute timestamptz, country text, events bigint,"
            " users bigint, sessions bigint, orders bigint, revenue numeric(12, 2))"
        )
        for table, rows in (
            ("events", run.clean.drop_columns("items")),
            ("sums", sums_by_minute(run.clean)),
        ):
            content = io.BytesIO()
            pa_csv.write_csv(rows, content)
            content.seek(0)
            names = ", ".join(rows.column_names)
            cursor.copy_expert(
                f"COPY shop.{table} ({names}) FROM STDIN (FORMAT csv, HEADER)", content
            )
    return database


def _mapping(database: Database, run: Run, **more: Any) -> dict[str, Any]:  # noqa: ANN401  a mapping's parts
    settings = database.settings
    return {
        "truth": {"run": str(run.folder)},
        "result": {
            "engine": "postgres",
            "connection": f"host={settings.postgres_host} port={settings.postgres_port}"
            f" dbname={settings.postgres_database} user={database.owner.info.user}",
            "password_file": str(_password(database, run.folder.parent)),
            "table": "shop.events",
            "columns": {name: name for name in FIELDS},
        },
    } | more


def _password(database: Database, folder: Path) -> Path:
    file = folder / "password"
    file.write_text(f"{database.owner.info.password}\n", encoding="utf-8")
    return file


def _judged(database: Database, run: Run, **more: Any) -> Report:  # noqa: ANN401  a mapping's parts
    with shared_runs():
        text = yaml.safe_dump(_mapping(database, run, **more))
        return judge(parse_mapping(text), run.folder)


SUMS: dict[str, Any] = {
    "table": "shop.sums",
    "keys": {"minute": "minute", "country": "country"},
    "measures": {
        "events": "events", "users": "users", "sessions": "sessions", "orders": "orders",
        "revenue": {"column": "revenue", "unit": "major"},
    },
}  # fmt: skip


def test_clean_table_agrees(loaded: Database, run: Run) -> None:
    """Every field and every sum of a clean table agrees."""
    report = _judged(loaded, run, aggregates=[SUMS])

    assert report.agrees, report.verdicts
    assert report.rows == len(run.clean)


def test_defects_are_found(loaded: Database, run: Run) -> None:
    """Lost, doubled, altered and moved rows and a wrong sum are found, with nothing else."""
    with loaded.owner, loaded.owner.cursor() as cursor:
        late = tuple(run.late)
        cursor.execute(
            "DELETE FROM shop.events WHERE shard = 0 AND shard_seq BETWEEN 10 AND 19"
            " AND NOT event_id::text = ANY(%s)", [list(late)],
        )  # fmt: skip
        lost = cursor.rowcount
        cursor.execute(
            "INSERT INTO shop.events SELECT * FROM shop.events"
            " WHERE shard = 1 AND shard_seq BETWEEN 20 AND 29"
        )
        cursor.execute("UPDATE shop.events SET city = 'Rome' WHERE shard = 2 AND shard_seq <= 3")
        cursor.execute(
            "UPDATE shop.events SET event_time = event_time + interval '2h'"
            " WHERE shard = 3 AND shard_seq <= 5"
        )
        cursor.execute("UPDATE shop.sums SET users = users + 1 WHERE country = 'DE'")
        groups = cursor.rowcount

    report = _judged(loaded, run, aggregates=[SUMS])

    assert {(row.kind.value, row.column): row.count for row in report.verdicts} == {
        ("lost", ""): lost,
        ("duplicated", ""): 10,
        ("altered", "city"): 3,
        ("misplaced", ""): 5,
        ("aggregate", "shop.sums: users"): groups,
    }
    causes = {row.kind.value: row.cause for row in report.verdicts}
    assert "contiguous" in causes["lost"]
    assert "idempotence" in causes["duplicated"]
    assert "+2 h" in causes["misplaced"]


def test_types_of_other_tables(loaded: Database, run: Run) -> None:
    """Enums, texts of numbers and a domain are compared; a time without an end is no time."""
    with loaded.owner, loaded.owner.cursor() as cursor:
        names = ", ".join(f"'{name}'" for name in EVENT_NAMES)
        cursor.execute(f"CREATE TYPE shop.name AS ENUM ({names}); CREATE DOMAIN shop.town AS text")
        cursor.execute(
            "ALTER TABLE shop.events ALTER event_name TYPE shop.name USING event_name::shop.name,"
            " ALTER city TYPE shop.town, ALTER value_minor TYPE text, ALTER price_minor TYPE float8"
        )
    assert _judged(loaded, run).agrees

    with loaded.owner, loaded.owner.cursor() as cursor:
        cursor.execute(
            "UPDATE shop.events SET event_time = 'infinity', price_minor = 'NaN', value_minor = '?'"
            " WHERE shard = 1 AND shard_seq = 5"
        )
    report = _judged(loaded, run)
    assert {(row.kind.value, row.column): row.count for row in report.verdicts} == {
        ("altered", "event_time"): 1,
        ("altered", "price_minor"): 1,
        ("altered", "value_minor"): 1,
    }


def test_rejects_are_found(loaded: Database, run: Run) -> None:
    """Rejected events are found in a second table; a repeated id may be there."""
    with loaded.owner, loaded.owner.cursor() as cursor:
        cursor.execute("CREATE TABLE shop.rejects (id uuid, error text)")
        cursor.execute(
            "WITH gone AS (DELETE FROM shop.events WHERE shard = 1 AND shard_seq <= 20"
            " AND NOT event_id::text = ANY(%s) RETURNING event_id)"
            " INSERT INTO shop.rejects SELECT event_id, 'bad city' FROM gone", [[*run.late]],
        )  # fmt: skip
        gone = cursor.rowcount
        cursor.execute(
            "INSERT INTO shop.rejects SELECT id::uuid, NULL FROM unnest(%s) AS id"
            " UNION ALL SELECT gen_random_uuid(), 'other'", [[*run.repeated]],
        )  # fmt: skip
    rejects = {"table": "shop.rejects", "columns": {"event_id": "id", "reason": "error"}}

    (verdict,) = _judged(loaded, run, rejects=rejects).verdicts

    assert (verdict.kind.value, verdict.count) == ("rejected", gone)
    assert "for one reason: 'bad city'" in verdict.cause

    with pytest.raises(JudgeError, match=r"rejects: there is no table 'shop.nothing'"):
        _judged(loaded, run, rejects=rejects | {"table": "shop.nothing"})
    with pytest.raises(JudgeError, match=r"rejects.columns.event_id: .* no column 'key'; name one"):
        _judged(loaded, run, rejects=rejects | {"columns": {"event_id": "key"}})


def test_locked_table(loaded: Database, run: Run) -> None:
    """A table that another session has locked ends the judgement; the lock's time may be set."""
    mapping = _mapping(loaded, run)
    mapping["result"]["connection"] += " options='-c lock_timeout=300ms'"
    with loaded.owner, loaded.owner.cursor() as cursor:
        cursor.execute("LOCK TABLE shop.events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(JudgeError, match="postgres: canceling statement due to lock timeout"):
            judge(parse_mapping(yaml.safe_dump(mapping)), run.folder)


def test_rights_to_read_suffice(loaded: Database, run: Run) -> None:
    """The judge asks nothing that a read-only session refuses, and cannot write itself."""
    before = loaded.ask("SELECT count(*), sum(xmin::text::bigint) FROM shop.events")
    _judged(loaded, run)

    assert loaded.ask("SELECT count(*), sum(xmin::text::bigint) FROM shop.events") == before


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"table": "shop.nothing"}, "there is no table 'shop.nothing'; there is "),
        ({"columns": {"event_time": "when"}}, "shop.events has no column 'when'; name one of"),
        ({"columns": {"event_time": "event_time", "city": "items"}}, "type jsonb"),
        ({"connection": "host=127.0.0.1 port=1 user=a"}, "does not let us in"),
        ({"connection": "host=127.0.0.1 password=secret"}, "leave the password out"),
        ({"connection": "host='"}, "write a URL, or words"),
        ({"password_file": "nowhere"}, "the file cannot be read"),
    ],
)
def test_bad_mappings(loaded: Database, run: Run, change: dict[str, Any], part: str) -> None:
    """What is not there is named with what is there; no password is shown."""
    mapping = _mapping(loaded, run)
    mapping["result"] |= change

    with pytest.raises(JudgeError) as caught:
        judge(parse_mapping(yaml.safe_dump(mapping)), run.folder)

    assert part in str(caught.value)
    assert "secret" not in str(caught.value)


def test_documented_ten_minutes(database: Database, tmp_path: Path) -> None:
    """The commands of docs/judge.md run as written: agreement, then a named loss."""
    text = (ROOT / "docs/judge.md").read_text(encoding="utf-8")
    section = text.split("## Ten minutes with PostgreSQL")[1].split("\n## ")[0]
    blocks = re.findall(r"^```(bash|yaml)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (tmp_path / "k8s").symlink_to(ROOT / "k8s")
    settings = database.settings
    programs = f"{binary('psql').parent}:{Path(sys.executable).parent}"
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGHOST": settings.postgres_host,
        "PGPORT": str(settings.postgres_port),
        "PGDATABASE": settings.postgres_database,
        "PGUSER": database.owner.info.user,
        "PGPASSWORD": str(database.owner.info.password),
        "HOME": str(tmp_path),
    }
    said = []
    for kind, block in blocks:
        if kind == "yaml":
            (tmp_path / "mapping.yaml").write_text(block, encoding="utf-8")
            continue
        done = subprocess.run(
            ["/bin/bash", "-euc", block],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said.append(done.stdout)

    assert "the result agrees with the truth" in said[-2]
    assert said[-1].endswith("exit code 1\n")
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "<h1>Judgement of public.my_events</h1>" in page
    assert "one contiguous range of one shard" in page
    assert "shard 1: 100 to 149" in page
