"""Rights in Kafka: each process has the least that it works with."""

from __future__ import annotations

from clickstream_contract.access import GENERATOR, STREAMING, USERS, Right

EVENTS, LEDGER, SHARDS = (
    "clickstream.events.v1",
    "clickstream.ledger.v1",
    "clickstream.shards.v1",
)


def test_generator_writes_and_reads_shards() -> None:
    """The generator writes all topics; it reads shards' positions, and the ledger to verify."""
    assert GENERATOR.name == "clickstream-generator"
    assert GENERATOR.rights == (
        Right("topic", EVENTS, ("Describe", "Write")),
        Right("topic", LEDGER, ("Describe", "Read", "Write")),
        Right("topic", SHARDS, ("Describe", "Read", "Write")),
        Right("group", "clickstream-generator", ("Describe",)),
    )


def test_streaming_only_reads() -> None:
    """The stream reads events and ledger, joins no group and writes nothing."""
    assert STREAMING.name == "clickstream-streaming"
    assert STREAMING.rights == (
        Right("topic", EVENTS, ("Describe", "Read")),
        Right("topic", LEDGER, ("Describe", "Read")),
    )


def test_rights_name_whole_names() -> None:
    """No user has a right for all names of a prefix, and every user says what it is for."""
    assert USERS == (GENERATOR, STREAMING)
    assert not any(right.is_prefix for user in USERS for right in user.rights)
    assert all(user.doc.endswith(".") for user in USERS)
