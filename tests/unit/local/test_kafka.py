"""Kafka's settings and its identifiers."""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode
from pathlib import Path

from clickstream_local.kafka import _cluster_id, _properties
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
    lines = _properties(Path("/state/kafka"), 29_092, 29_093).splitlines()
    values = dict(line.split("=", 1) for line in lines)

    assert values["listeners"] == "CLIENTS://127.0.0.1:29092,CONTROLLER://127.0.0.1:29093"
    assert values["advertised.listeners"] == "CLIENTS://127.0.0.1:29092"
    assert values["controller.quorum.voters"] == "1@127.0.0.1:29093"
    assert values["log.dirs"] == "/state/kafka/data"
    assert values["auto.create.topics.enable"] == "false"
    assert values["log.retention.bytes"] == "8589934592"


def test_one_broker_replicates_nothing() -> None:
    """Every internal topic has one replica: a single broker could not make more."""
    lines = _properties(Path("/x"), 1, 2).splitlines()
    values = dict(line.split("=", 1) for line in lines)

    assert {value for name, value in values.items() if name.endswith("replication.factor")} == {"1"}
    assert {value for name, value in values.items() if name.endswith("min.isr")} == {"1"}
