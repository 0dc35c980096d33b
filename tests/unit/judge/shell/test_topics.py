"""Topics: records become rows of texts, and what cannot be read is one sentence."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import duckdb
import pytest
from clickstream_judge.core.mapping import Column
from clickstream_judge.core.topic_records import record_fields
from clickstream_judge.errors import EngineUnusable, MappingInvalid, ResultUnfit
from clickstream_judge.shell import topics
from clickstream_judge.shell.topics import client_settings, copy_topic, read_topic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = {
    "event_id": Column(column="payload.id"),
    "event_time": Column(column="at"),
    "order_id": Column(column="order"),
}


def _copied(values: Sequence[bytes | None]) -> list[tuple[str | None, ...]]:
    with duckdb.connect() as connection:
        records = ((3, place, value) for place, value in enumerate(values))
        decode = partial(record_fields, has_header=False)
        names = copy_topic(connection, "t", "result", COLUMNS, records, decode)
        assert names == ("payload.id", "at", "order")
        return connection.execute("SELECT * FROM t ORDER BY 1").fetchall()


def test_fields_become_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mapped fields are copied in several parts; a record without an id has its offset as one."""
    monkeypatch.setattr(topics, "_COPIED_ROWS", 2)
    value = b'{"payload": {"id": "%d"}, "at": 17, "order": null, "more": 1}'

    rows = _copied([value % 1, value % 2, b"no event", value % 4, None])

    assert rows == [
        ("1", "17", None), ("2", "17", None), ("4", "17", None),
        ("no id at partition 3, offset 2", None, None),
        ("no id at partition 3, offset 4", None, None),
    ]  # fmt: skip
    assert _copied([]) == []


@pytest.mark.parametrize(
    ("values", "part"),
    [
        (
            [b'{"payload": {"no": 1}, "at": 1}'],
            "no record has the field 'payload.id'; name one of payload.no, at",
        ),
        ([b'{"payload": {"id": 1}}'], "result.columns.event_time: no record has the field 'at'"),
        ([b"\x00\x01avro", None], "result.topic: no record can be decoded; set result.format"),
    ],
)
def test_topics_that_do_not_fit(values: list[bytes | None], part: str) -> None:
    """A field that every event has and no record has is named with the fields that are there."""
    with pytest.raises(ResultUnfit) as caught:
        _copied(values)

    assert part in str(caught.value)


def test_client_settings_from_file(tmp_path: Path) -> None:
    """A file gives connection settings only; a mistake is named without its value."""
    config = tmp_path / "kafka.properties"
    config.write_text("security.protocol=SASL_SSL\nsasl.password=secret\n", "utf-8")
    settings = client_settings("k:1", config)
    assert settings["security.protocol"] == "SASL_SSL"
    assert (settings["bootstrap.servers"], settings["enable.auto.commit"]) == ("k:1", False)

    for text in ("group.id=mine\n", "sasl.password secret\n"):
        config.write_text(text, "utf-8")
        with pytest.raises(MappingInvalid, match=r"^result.kafka_config: .*line 1") as caught:
            client_settings("k:1", config)
        assert "secret" not in str(caught.value)
    with pytest.raises(MappingInvalid, match="cannot be read"):
        client_settings("k:1", tmp_path / "nowhere")


def test_refused_client_settings() -> None:
    """A value that the client refuses is named."""
    with pytest.raises(MappingInvalid, match="the client refuses it"):
        list(read_topic({"group.id": "a", "security.protocol": "MAGIC"}, "result", "t"))


def test_silent_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that do not answer end the judgement after some seconds, with the cause."""
    monkeypatch.setattr(topics, "_ANSWER_SECONDS", 1.0)

    with pytest.raises(EngineUnusable, match=r"kafka: .*check result.servers") as caught:
        list(read_topic(client_settings("127.0.0.1:1", None), "result", "t"))

    assert "refused" in str(caught.value)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(EngineUnusable, match=r"kafka: .*check result.servers"):
            list(read_topic(client_settings(place, None), "result", "t"))
