"""The example pipelines: their mappings, pinned packages and their addresses."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from clickstream_judge.core.mapping import parse_mapping
from pipelines import PIPELINES
from services import ROOT

_EXAMPLES = ROOT / "examples" / "pipelines"


@pytest.mark.parametrize("name", PIPELINES)
def test_mappings_have_events(name: str) -> None:
    """Each pipeline has a valid mapping with ids, and a page."""
    text = PIPELINES[name].mapping.read_text(encoding="utf-8")

    parse_mapping(text)
    columns = yaml.safe_load(text)["result"]["columns"]
    assert {"event_id", "event_time", "session_id", "value_minor"} <= set(columns)
    assert name in (_EXAMPLES / name / "README.md").read_text(encoding="utf-8")


def test_jars_are_pinned() -> None:
    """The pinned jars have checksums, and the versions that the POM names."""
    rows = json.loads((_EXAMPLES / "kafka-connect" / "jars.json").read_text(encoding="utf-8"))
    pinned = {row["artifact"]: row["version"] for row in rows}
    pom = (_EXAMPLES / "kafka-connect" / "pom.xml").read_text(encoding="utf-8")
    wanted = re.findall(r"<artifactId>([\w-]+)</artifactId>\s*<version>([\d.\w]+)<", pom)

    assert {artifact: pinned.get(artifact) for artifact, _ in wanted[1:]} == dict(wanted[1:])
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["sha256"]) for row in rows)


def test_driver_is_pinned_once() -> None:
    """Spark and its image take PostgreSQL's driver from one list, Kafka Connect the same one."""
    (row,) = json.loads((_EXAMPLES / "spark-windows" / "jars.json").read_text(encoding="utf-8"))
    rows = json.loads((_EXAMPLES / "kafka-connect" / "jars.json").read_text(encoding="utf-8"))
    dockerfile = (_EXAMPLES / "spark-windows" / "Dockerfile").read_text(encoding="utf-8")

    assert {**row, "use": "connect"} in rows
    assert f"/opt/jars.json {row['use']} /opt/spark/jars" in dockerfile
    assert "COPY apps/streaming/image/fetch_jars.py examples/pipelines/spark-windows/jars.json" in (
        dockerfile
    )


def test_worker_listens_on_loopback() -> None:
    """No other machine reaches Kafka Connect's API, and no file has a password."""
    folder = _EXAMPLES / "kafka-connect"
    worker = (folder / "worker.properties").read_text(encoding="utf-8")
    sink = (folder / "sink.properties").read_text(encoding="utf-8")

    assert re.findall("(?m)^listeners=(.*)$", worker) == ["http://127.0.0.1:0"]
    assert "connection.password=${directory:.:password}" in sink
