"""A registered schema: what it needs beside its text."""

from __future__ import annotations

from clickstream_generator.core.registered_schema import RegisteredSchema


def test_schema_stands_alone() -> None:
    """A schema needs no others unless they are given, and two are equal by what they have."""
    alone = RegisteredSchema("AVRO", "{}")

    assert alone.references == {}
    assert alone == RegisteredSchema("AVRO", "{}", {})
    assert alone != RegisteredSchema("AVRO", "{}", {"inner": "{}"})
