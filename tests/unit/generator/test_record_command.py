"""The command that writes a run's record and ledger into a folder."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import typer
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.behaviour import Revision
from clickstream_generator.core.run_record import RunRecord
from clickstream_generator.errors import OutputRefused
from clickstream_generator.record_command import main
from clickstream_generator.record_command import record as record_command
from clickstream_generator.shell import recorded_run
from run_records import run_record
from typer.testing import CliRunner

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from clickstream_generator.settings import KafkaSettings

    _Asked = list[tuple[KafkaSettings, UUID | None]]

_ROWS = [{"shard": 0}, {"shard": 1}]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> _Asked:
    """Kafka has one run; what it was asked."""
    found: _Asked = []
    record, _ = run_record()

    def read(settings: KafkaSettings, run_id: UUID | None) -> RunRecord:
        found.append((settings, run_id))
        return record

    monkeypatch.setattr(recorded_run, "read_record", read)
    monkeypatch.setattr(recorded_run, "read_ledger", lambda *_: iter([_ROWS[:1], _ROWS[1:]]))
    return found


def _run(*arguments: str) -> tuple[int, str, BaseException | None]:
    app = typer.Typer()
    app.command()(record_command)
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout + done.stderr, done.exception


def test_folder_has_the_truth(asked: _Asked, tmp_path: Path) -> None:
    """The folder has the record and the ledger, and the command says what it found."""
    record, _ = run_record()
    folder = tmp_path / "truth"

    code, output, _ = _run("kafka:9092", "--truth", str(folder), "--run-id", str(record.run_id))

    assert code == 0
    assert output == (
        f"run {record.run_id} of tested still sends: 0 revisions and 2 ledger entries are in"
        f" {folder}\n"
    )
    text = (folder / "run.json").read_text(encoding="utf-8")
    assert RunRecord.from_json(text, "run.json") == record
    lines = (folder / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == _ROWS
    (settings, run_id), again = asked
    assert again == (settings, run_id)
    assert (settings.bootstrap_servers, run_id) == ("kafka:9092", record.run_id)


def test_record_follows_the_ledger(
    asked: _Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit while the ledger is read is in the record, which is read again after it."""
    record, _ = run_record()
    edited = replace(record, revisions=(Revision(1.0, 1.0, record.first),))
    records = iter([record, edited])
    monkeypatch.setattr(recorded_run, "read_record", lambda *_: next(records))

    code, output, _ = _run("kafka:9092", "--truth", str(tmp_path / "truth"))

    assert (code, "1 revisions" in output) == (0, True)
    text = (tmp_path / "truth" / "run.json").read_text(encoding="utf-8")
    assert RunRecord.from_json(text, "run.json") == edited
    assert asked == []


def test_connection_is_secured(asked: _Asked, tmp_path: Path) -> None:
    """The options of a secured cluster become the client's settings."""
    _run(
        "kafka:9093", "--truth", str(tmp_path / "truth"), "--security-protocol", "SASL_SSL",
        "--ca-file", __file__, "--username", "reader", "--password-file", __file__,
        "--sasl-mechanism", "SCRAM-SHA-256",
    )  # fmt: skip
    (settings, run_id), _ = asked
    assert run_id is None
    assert (settings.security_protocol, settings.username) == ("SASL_SSL", "reader")
    assert settings.sasl_mechanism == "SCRAM-SHA-256"
    assert str(settings.ca_file) == str(settings.password_file) == __file__


def test_mistakes_are_named(asked: _Asked, tmp_path: Path) -> None:
    """A folder with files, an id that is no UUID and a wrong protocol are errors."""
    (tmp_path / "mine").touch()
    assert isinstance(_run("kafka:9092", "--truth", str(tmp_path))[2], OutputRefused)
    code, output, _ = _run("kafka:9092", "--truth", str(tmp_path / "new"), "--run-id", "seven")
    assert (code, "--run-id" in output) == (2, True)
    wrong = ("kafka:9092", "--truth", str(tmp_path / "new"), "--security-protocol", "TLS")
    assert isinstance(_run(*wrong)[2], SimulationInvalid)
    assert asked == []


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [(("--run-id", "x"), 2, "--run-id"), (("--security-protocol", "x"), 2, "--security-protocol")],
)
def test_command_alone_names_mistakes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    part: str,
) -> None:
    """As a separate program, the command ends with the same exit codes."""
    given = ["record", "kafka:9092", "--truth", str(tmp_path / "truth"), *arguments]
    monkeypatch.setattr(sys, "argv", given)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == code
    assert part in capsys.readouterr().err


def test_user_name_may_be_a_file(asked: _Asked, tmp_path: Path) -> None:
    """The user's name comes from a file, as the worker's does."""
    name = tmp_path / "username"
    name.write_text("me\n", encoding="utf-8")

    code, _, _ = _run("kafka:9092", "--truth", str(tmp_path / "t"), "--username-file", str(name))

    assert code == 0
    assert asked[0][0].username_file == name
