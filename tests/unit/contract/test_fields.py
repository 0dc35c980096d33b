"""Fields: their defaults."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from clickstream_contract.fields import Field, FieldType


def test_plain_field_has_defaults() -> None:
    """A field is in every record, since version 1, of any value and at most 256 characters."""
    field = Field("name", FieldType.TEXT, "A name.")

    assert field.required
    assert (field.events, field.unit, field.since, field.values) == ((), "", 1, ())
    assert field.optional_events == ()
    assert (field.minimum, field.maximum, field.max_length) == (None, None, 256)


@pytest.mark.parametrize(
    ("events", "optional_events", "names"),
    [
        ((), (), ["search", "purchase", "view_cart"]),
        (("purchase",), (), ["purchase"]),
        (("purchase",), ("view_cart",), ["purchase", "view_cart"]),
    ],
)
def test_field_may_be_in_its_events(
    events: tuple[str, ...], optional_events: tuple[str, ...], names: list[str]
) -> None:
    """A field may be in the events that carry it, and in those that may carry it."""
    field = Field("x", FieldType.TEXT, "x", events=events, optional_events=optional_events)

    assert [name for name in ("search", "purchase", "view_cart") if field.may_be_in(name)] == names


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
