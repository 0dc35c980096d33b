"""Fields: what holds of one if nothing else is said."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from clickstream_contract.fields import Field, FieldType


def test_plain_field_has_defaults() -> None:
    """A field is in every record, since version 1, of any value and at most 256 characters."""
    field = Field("name", FieldType.TEXT, "A name.")

    assert field.required
    assert (field.events, field.unit, field.since, field.values) == ((), "", 1, ())
    assert (field.minimum, field.maximum, field.max_length) == (None, None, 256)


def test_field_cannot_be_changed() -> None:
    """A field is a value."""
    field = Field("name", FieldType.TEXT, "A name.")

    with pytest.raises(FrozenInstanceError):
        field.name = "other"  # type: ignore[misc]


def test_types_have_their_names() -> None:
    """The types are called as the documentation shows them."""
    assert [kind.value for kind in FieldType] == [
        "text", "uuid", "timestamp", "integer", "bigint", "items",
    ]  # fmt: skip
