"""The building blocks of the models: strict, without unknown fields, with clear errors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import pytest
from clickstream_contract.parts import Duration, Part, Permille, Weight, as_tuple, member, refuse
from pydantic import ValidationError


class _Size(StrEnum):
    SMALL = "Small"
    LARGE = "Large"


class _Sample(Part):
    for_seconds: Duration | None = None
    late_permille: Permille = 0
    weight: Weight = 0
    size: Annotated[_Size, member(_Size)] = _Size.SMALL


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("90s", 90), ("1h30m", 5_400)])
def test_duration_becomes_seconds(text: str, seconds: int) -> None:
    """A duration is read from its text into seconds, and written back in its largest units."""
    part = _Sample.model_validate({"forSeconds": text})

    assert part.for_seconds == seconds
    assert _Sample.model_validate(part.model_dump(by_alias=True)) == part


@pytest.mark.parametrize("value", ["0s", "soon", 90, 1.5, None])
def test_other_duration_is_refused(value: object) -> None:
    """An invalid duration is refused with the value and an example."""

    class Needed(Part):
        lasts: Duration

    with pytest.raises(ValidationError) as caught:
        Needed.model_validate({"lasts": value})

    (error,) = caught.value.errors()
    assert error["type"] == "refused"
    assert error["ctx"] == {
        "path": "",
        "value": value,
        "allowed": "a duration such as 90s, 10m or 1h30m",
    }


@pytest.mark.parametrize(
    ("field", "highest"), [("latePermille", 1_000), ("weight", 1_000_000)], ids=str
)
def test_shares_have_bounds(field: str, highest: int) -> None:
    """Shares and weights go from 0 to their highest value, both included."""
    for value in (0, highest):
        assert _Sample.model_validate({field: value}).model_dump(by_alias=True)[field] == value
    for value in (-1, highest + 1):
        with pytest.raises(ValidationError):
            _Sample.model_validate({field: value})


@pytest.mark.parametrize(
    "content",
    [{"weight": "1"}, {"weight": True}, {"weight": 1.0}, {"late_permille": 1}, {"other": 1}],
)
def test_part_is_taken_literally(content: dict[str, object]) -> None:
    """A value of another type, a name that is no alias and an unknown field are refused."""
    with pytest.raises(ValidationError):
        _Sample.model_validate(content)


def test_part_cannot_be_changed() -> None:
    """A part is a value."""
    part = _Sample()

    with pytest.raises(ValidationError, match="frozen"):
        part.weight = 1


def test_error_hides_the_input() -> None:
    """An error's text does not repeat what was given, which may be long or secret."""
    with pytest.raises(ValidationError) as caught:
        _Sample.model_validate({"weight": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_member_is_read_from_text() -> None:
    """An enum's member is read from its value, or is one already."""
    assert _Sample.model_validate({"size": "Large"}).size is _Size.LARGE
    assert _Sample.model_validate({"size": _Size.LARGE}).size is _Size.LARGE


@pytest.mark.parametrize("value", ["large", "", 7])
def test_unknown_member_is_refused(value: object) -> None:
    """An unknown member is refused with the allowed values."""
    with pytest.raises(ValidationError) as caught:
        _Sample.model_validate({"size": value})

    (error,) = caught.value.errors()
    assert error["ctx"]["value"] == value
    assert error["ctx"]["allowed"] == "one of Small, Large"


def test_only_lists_become_tuples() -> None:
    """A list becomes a tuple; anything else is left for the model to refuse."""
    assert as_tuple([1, 2]) == (1, 2)
    assert as_tuple((1, 2)) == (1, 2)
    assert as_tuple("ab") == "ab"


def test_refusal_keeps_its_fields() -> None:
    """The error of a rule over several fields has path, value and allowed values."""
    error = refuse("steps", 0, "at least one step")

    assert error.type == "refused"
    assert error.context == {"path": "steps", "value": 0, "allowed": "at least one step"}
    assert error.message() == "at least one step"
