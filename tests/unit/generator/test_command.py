"""The command of the generator alone: its arguments, exit codes and last words."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.document import dump_simulation
from clickstream_generator import command
from run_folders import event_ids
from simulations import simulation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder with a simulation; return exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    text = dump_simulation(simulation(users=400))
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["clickstream-generator", *arguments])
        with pytest.raises(SystemExit) as ended:
            command.main()
        output, errors = capsys.readouterr()
        return int(ended.value.code or 0), output, errors

    return call


def test_events_come_as_lines(run: Run) -> None:
    """Without an output, events are lines of standard output, and the summary is beside them."""
    code, output, errors = run("shop.yaml", "--events", "30", "--truth", "truth")

    assert code == 0
    assert len(output.splitlines()) == 30
    assert errors.startswith("30 events of run ")
    assert errors.count("\n") == 1


def test_folder_is_continued_and_made_again(run: Run, tmp_path: Path) -> None:
    """Options reach the run: start, id, form, parts; and its record makes it again."""
    named = ("--start", "2026-11-27T08:00:00Z", "--run-id", "00000000-0000-4000-8000-000000000009")
    code, _, errors = run(
        "shop.yaml", "--for", "1s", "--rate", "100", "-o", "csv:a", "--part-events", "10", *named
    )
    assert (code, "100 events of run 00000000-0000-4000-8000-000000000009 in csv:a" in errors) == (
        0, True,
    )  # fmt: skip
    assert len(list(tmp_path.glob("a/events/day=2026-11-27/*"))) == 4 * 3

    assert run("--run", "a/run.json", "--output", "jsonl:b")[0] == 0
    assert event_ids(tmp_path / "b") == event_ids(tmp_path / "a")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "give either FILE or --run"),
        (["shop.yaml", "--run", "x"], 2, "give either FILE or --run"),
        (["--run", "x", "--events", "3"], 2, "--run: 'x' is not allowed; it fixes catalog, rate"),
        (["--run", "x", "--catalog", "y"], 2, "--run: 'x' is not allowed; it fixes catalog, rate"),
        (["shop.yaml", "--form", "xml"], 2, "--form: 'xml' is not allowed; it must be one of nat"),
        (["shop.yaml", "--mapping", "none"], 2, "--mapping: 'none' is not allowed; it cannot be"),
        (["shop.yaml", "--catalog", "none"], 2, "--catalog: 'none' is not allowed; it cannot be"),
        (["shop.yaml", "-o", "http:x"], 2, "--output: 'http:x' is not allowed; it must be http:"),
        (["shop.yaml", "-o", "avro:x"], 2, "--output: 'avro:x'"),
        (["shop.yaml", "--start", "2026-11-27"], 2, "--start: '2026-11-27'"),
        (["shop.yaml", "--start", "noon"], 2, "--start: 'noon'"),
        (["shop.yaml", "--run-id", "7"], 2, "--run-id: '7'"),
        (["none.yaml"], 2, "none.yaml: it cannot be read"),
        (
            ["shop.yaml", "--events", "3", "-o", "csv:shop.yaml"],
            1,
            "csv:shop.yaml is not a usable folder",
        ),
        (["shop.yaml", "--events", "3", "-o", "csv:."], 1, "csv:. holds shop.yaml"),
        (["shop.yaml", "--events", "3", "-o", "kafka"], 2, "add the servers"),
        (["--run", "none.json"], 1, "none.json has"),
        (
            ["shop.yaml", "--encoding", "avro"],
            2,
            "--encoding: --output stdout does not use it; leave",
        ),
        (
            ["shop.yaml", "-o", "csv:a", "--truth", "t"],
            2,
            "--truth: --output csv:a does not use it",
        ),
        (["--print-schema"], 2, "--encoding: 'json' is not allowed"),
    ],
)
def test_bad_input_is_one_line(run: Run, arguments: list[str], code: int, says: str) -> None:
    """What cannot be used ends the command with one line that names it."""
    found, output, errors = run(*arguments)

    assert (found, output) == (code, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert says in errors


def test_http_has_its_options(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and files reach the receiver, form and catalog the run."""
    from clickstream_generator.shell import generation  # noqa: PLC0415  as the command does

    requests: list[generation.Request] = []
    monkeypatch.setattr(generation, "generate", lambda request, _: requests.append(request))
    (tmp_path / "headers").write_text("x-key: 1\n", encoding="utf-8")
    (tmp_path / "query").write_text("k=2\n", encoding="utf-8")
    (tmp_path / "shop.csv").write_text(
        "id,name,category,brand,price\nP,Hat,Hats,Sand,5\n", encoding="utf-8"
    )
    run(
        "shop.yaml", "-o", "https://h/a", "--http-headers", "headers", "--http-query", "query",
        "--http-batch", "7", "--http-requests", "3", "--form", "segment", "--catalog", "shop.csv",
    )  # fmt: skip
    (request,) = requests
    http = request.http
    assert http is not None
    assert (http.url, http.headers, http.query) == ("https://h/a", {"x-key": "1"}, {"k": "2"})
    assert (http.most_records, http.in_flight) == (7, 3)
    assert request.form is not None
    assert request.form.name == "segment"
    assert [product.id for product in request.products] == ["P"]


def test_schema_is_printed(run: Run, tmp_path: Path) -> None:
    """The schema of an encoding is printed, by default of the simulation's."""
    code, output, errors = run("--print-schema", "--encoding", "protobuf")

    assert (code, output.splitlines()[0], errors) == (0, 'syntax = "proto3";', "")
    avro = "  output: {topic: a, ledgerTopic: b, encoding: avro}\n"
    text = dump_simulation(simulation(more=avro, users=400))
    (tmp_path / "avro.yaml").write_text(text, encoding="utf-8")
    assert json.loads(run("avro.yaml", "--print-schema")[1])["name"] == "Event"


def test_encoding_has_its_options(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options and environment reach the registry and the schema's choice, with Kafka only."""
    from clickstream_generator.shell import generation  # noqa: PLC0415  as the command does

    requests: list[generation.Request] = []
    monkeypatch.setattr(generation, "generate", lambda request, _: requests.append(request))
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_REGISTRY", "http://r:1")
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_REGISTRY_USERNAME", "me")

    run("shop.yaml", "--events", "3")
    assert requests.pop().encoding is None

    run("shop.yaml", "-o", "kafka:h:1", "--topic", "mine", "--encoding", "avro")
    run(
        "shop.yaml", "-o", "kafka:h:1", "--encoding", "protobuf", "--registry", "http://s:1",
        "--registry-no-register", "--subject-strategy", "record", "--registry-ca-file", "ca",
    )  # fmt: skip
    first, second = (request.encoding for request in requests)
    assert first is not None
    assert second is not None
    assert first.registry is not None
    assert second.registry is not None
    assert (first.name, first.strategy, first.is_registering) == ("avro", "topic", True)
    assert (first.registry.url, first.registry.username) == ("http://r:1", "me")
    assert (second.registry.url, str(second.registry.ca_file)) == ("http://s:1", "ca")
    assert (second.strategy, second.is_registering) == ("record", False)


def test_kafka_has_its_options(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options, environment and file reach the target; the ledger has the default's topic only."""
    from clickstream_generator.shell import generation  # noqa: PLC0415  as the command does

    requests: list[generation.Request] = []
    monkeypatch.setattr(generation, "generate", lambda request, _: requests.append(request))
    (tmp_path / "client").write_text("sasl.username=u\nssl.key.location=k\n", encoding="utf-8")
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS", "e:1")

    run("shop.yaml", "-o", "kafka", "--append", "--username", "me", "--kafka-config", "client")
    run("shop.yaml", "-o", "kafka:h:1", "--topic", "mine", "--create-topics", "--paced")
    run("shop.yaml", "-o", "kafka:h:1", "--topic", "mine", "--ledger-topic", "its")
    first, second, third = requests
    for request in requests:
        assert request.kafka is not None
        assert request.kafka.settings.security_protocol == "SASL_SSL"
    assert first.kafka is not None
    assert second.kafka is not None
    assert third.kafka is not None
    assert first.kafka.settings.bootstrap_servers == "e:1"
    assert (first.kafka.settings.username, dict(first.kafka.client)) == (
        "me", {"ssl.key.location": "k"},
    )  # fmt: skip
    assert (first.kafka.topic, first.kafka.ledger_topic) == (
        None, None,
    )  # fmt: skip
    assert (first.is_appending, first.is_creating, first.is_paced) == (True, False, False)
    assert second.kafka.settings.bootstrap_servers == "h:1"
    assert (second.kafka.topic, second.kafka.ledger_topic) == ("mine", None)
    assert (second.is_appending, second.is_creating, second.is_paced) == (False, True, True)
    assert (third.kafka.topic, third.kafka.ledger_topic) == ("mine", "its")
