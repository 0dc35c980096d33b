"""The judge on topics of a real Kafka: clean and damaged ones, transactions, and no trace left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from clickstream_contract.schemas import RECORD_NAME, schema_text
from clickstream_judge.core.fields import FIELDS
from clickstream_judge.core.mapping import parse_mapping
from clickstream_judge.errors import JudgeError
from clickstream_judge.shell.judging import judge
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from judged import Run, make_run, shared_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from clickstream_judge.core.report import Report
    from generators import Broker

pytestmark = pytest.mark.services

SIMULATION = Path(__file__).parents[2] / "k8s" / "simulations" / "storefront.yaml"
COLUMNS = {name: f"payload.{name}" for name in FIELDS}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a small run."""
    folder: Path = tmp_path_factory.mktemp("judged")
    return make_run(folder)


def _values(table: pa.Table) -> list[bytes]:
    """Return events as records of a pipeline that puts them into an envelope."""
    rows = table.drop_columns("items").to_pylist()
    for row in rows:
        row["event_time"] = row["event_time"].isoformat(timespec="milliseconds")
        row["sent_at"] = row["sent_at"].isoformat(timespec="milliseconds")
    return [json.dumps({"kind": "event", "payload": row}).encode() for row in rows]


def _send(broker: Broker, topic: str, parts: Sequence[Sequence[bytes]]) -> None:
    """Send records in transactions to a new topic; every second transaction is aborted."""
    admin = AdminClient({"bootstrap.servers": broker.servers})
    for made in admin.create_topics([NewTopic(topic, 4, 1)]).values():
        made.result()
    producer = Producer({"bootstrap.servers": broker.servers, "transactional.id": topic})
    producer.init_transactions()
    for place, values in enumerate(parts):
        producer.begin_transaction()
        for number, value in enumerate(values):
            producer.produce(topic, value, partition=number % 4)
            producer.poll(0)
        producer.flush()
        if place % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()


def _judged(
    broker: Broker,
    run: Run,
    topic: str,
    rejects: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401  a mapping's parts
) -> Report:
    result = {"engine": "kafka", "servers": broker.servers, "topic": topic, "columns": COLUMNS}
    truth = {"run": str(run.folder)}
    mapping = {"truth": truth, "result": result | more, "rejects": rejects}
    with shared_runs():
        return judge(parse_mapping(yaml.safe_dump(mapping)), run.folder)


def test_clean_topic_agrees(broker: Broker, run: Run) -> None:
    """Committed records agree in every field; aborted ones are not read, and nothing is written."""
    values = _values(run.clean)
    _send(broker, "clean", [values[:2000], values[:500], values[2000:], values[:9]])

    report = _judged(broker, run, "clean")

    assert report.agrees, report.verdicts
    assert (report.result, report.rows) == ("topic clean", len(run.clean))
    admin = AdminClient({"bootstrap.servers": broker.servers})
    assert [row.group_id for row in admin.list_consumer_groups().result().valid] == []


def test_damaged_topic_differs(broker: Broker, run: Run) -> None:
    """Lost, doubled and altered records are found, and a record that is no event has its place."""
    ids = run.clean["event_id"].to_pylist()
    on_time = [place for place, event_id in enumerate(ids) if event_id not in run.late]
    values = _values(run.clean)
    lost, altered = (
        set(on_time[10:20]),
        values[on_time[30]].replace(b'"country": "', b'"country": "X'),
    )
    kept = [value for place, value in enumerate(values) if place not in lost]
    kept[kept.index(values[on_time[30]])] = altered
    _send(broker, "damaged", [[*kept, *values[100:103], b"no event"]])

    report = _judged(broker, run, "damaged")

    assert {(row.kind.value, row.column): row.count for row in report.verdicts} == {
        ("lost", ""): 10,
        ("duplicated", ""): 3,
        ("phantom", ""): 1,
        ("altered", "country"): 1,
    }
    (phantom,) = [row for row in report.verdicts if row.kind.value == "phantom"]
    assert "no id at partition" in phantom.examples[0]


def test_rejects_of_a_topic(broker: Broker, run: Run) -> None:
    """Events of a dead-letter topic are rejected; its broken records are no difference."""
    ids = run.clean["event_id"].to_pylist()
    away = [place for place, event_id in enumerate(ids) if event_id not in run.late][:7]
    values = _values(run.clean)
    _send(broker, "kept", [[value for place, value in enumerate(values) if place not in away]])
    _send(
        broker, "dead",
        [[json.dumps({"id": ids[at], "why": "schema"}).encode() for at in away] + [b"\xff"]],
    )  # fmt: skip
    columns = {"event_id": "id", "reason": "why"}

    report = _judged(broker, run, "kept", {"topic": "dead", "columns": columns})

    assert [(row.kind.value, row.count) for row in report.verdicts] == [("rejected", 7)]
    assert "'schema'" in report.verdicts[0].cause


@pytest.mark.parametrize("encoding", ["avro", "protobuf"])
def test_encoded_topic_agrees(broker: Broker, tmp_path: Path, encoding: str) -> None:
    """The generator's own records in Avro and Protobuf agree in every field with its run."""
    topic, truth = f"encoded-{encoding}", tmp_path / "truth"
    command = [
        str(Path(sys.executable).parent / "clickstream"), "generate", str(SIMULATION),
        "--events", "3000", "--output", f"kafka:{broker.servers}", "--topic", topic,
        "--create-topics", "--encoding", encoding, "--truth", str(truth),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    (tmp_path / "schema").write_text(schema_text(encoding), encoding="utf-8")
    result: dict[str, Any] = {
        "engine": "kafka", "servers": broker.servers, "topic": topic, "format": encoding,
        "schema_file": "schema", "columns": {name: name for name in FIELDS},
    }  # fmt: skip
    if encoding == "protobuf":
        result["message"] = RECORD_NAME
    mapping = yaml.safe_dump({"truth": {"run": "truth"}, "result": result})

    report = judge(parse_mapping(mapping), tmp_path)
    assert report.agrees, report.verdicts
    assert report.rows == 3000


def test_bad_mappings(broker: Broker, run: Run) -> None:
    """A topic or field that is not there is named with what is there."""
    _send(broker, "few", [_values(run.clean.slice(0, 5))])

    for topic, columns, part in (
        ("nowhere", COLUMNS, "result.topic: there is no topic 'nowhere'; there is "),
        (
            "few",
            {"event_time": "when"},
            "result.columns.event_time: no record has the field 'when'",
        ),
    ):
        with pytest.raises(JudgeError) as caught:
            _judged(broker, run, topic, columns=columns)
        assert part in str(caught.value)
