"""Kafka's settings and its identifiers."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode

from clickstream_contract.topics import TOPICS
from clickstream_local.kafka import (
    MAX_BYTES,
    _cluster_id,
    _partitions_of,
    _properties,
    _settings_of,
)
from clickstream_local.stack import NEEDED_BYTES
from hypothesis import given
from hypothesis import strategies as st


@given(st.uuids())
def test_cluster_id_is_unpadded(drawn: uuid.UUID) -> None:
    """An id is the UUID's bytes in Kafka's own form, 22 characters without padding."""
    text = _cluster_id(drawn)

    assert len(text) == 22
    assert uuid.UUID(bytes=urlsafe_b64decode(text + "==")) == drawn


def test_cluster_id_is_kafkas() -> None:
    """The form is that of ``org.apache.kafka.common.Uuid``."""
    assert _cluster_id(uuid.UUID(int=0)) == "AAAAAAAAAAAAAAAAAAAAAA"
    assert _cluster_id(uuid.UUID(int=2**128 - 1)) == "_____________________w"


def test_broker_stays_on_loopback() -> None:
    """Clients and controller are reached on loopback only, and no topic is made by chance."""
    lines = _properties(29_092, 29_093).splitlines()
    values = dict(line.split("=", 1) for line in lines)

    assert values["listeners"] == "CLIENTS://127.0.0.1:29092,CONTROLLER://127.0.0.1:29093"
    assert values["advertised.listeners"] == "CLIENTS://127.0.0.1:29092"
    assert values["controller.quorum.voters"] == "1@127.0.0.1:29093"
    assert values["auto.create.topics.enable"] == "false"


def test_settings_name_no_path() -> None:
    """A comma, a backslash or a letter beyond ASCII in the folder's path cannot break them."""
    text = _properties(1, 2)

    assert "log.dirs=data\n" in text
    assert text.isascii()
    assert "\\" not in text


def test_disk_use_is_bounded() -> None:
    """All partitions of all topics, with their open segments, fit into the required space."""
    values = dict(line.split("=", 1) for line in _properties(1, 2).splitlines())
    segment = int(values["log.segment.bytes"])

    taken = int(values["metadata.max.retention.bytes"])
    taken += 2 * int(values["metadata.log.segment.bytes"])
    for topic in TOPICS:
        own = _settings_of(topic)
        kept = int(own["retention.bytes"]) + 2 * int(own.get("segment.bytes", segment))
        assert int(own["retention.bytes"]) > 0
        assert "delete" in own.get("cleanup.policy", "delete")
        taken += _partitions_of(topic) * kept
    assert taken <= MAX_BYTES < NEEDED_BYTES


def test_one_broker_replicates_nothing() -> None:
    """Every internal topic has one replica: a single broker could not make more."""
    lines = _properties(1, 2).splitlines()
    values = dict(line.split("=", 1) for line in lines)

    assert {value for name, value in values.items() if name.endswith("replication.factor")} == {"1"}
    assert {value for name, value in values.items() if name.endswith("min.isr")} == {"1"}
