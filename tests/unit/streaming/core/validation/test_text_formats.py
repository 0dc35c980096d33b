"""Formats of ids and timestamps are checked byte by byte, for a whole column at once."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pytest
from clickstream_streaming.core.validation.text_formats import (
    are_uuids,
    as_mask,
    contains,
    start_and_end_bytes,
    timestamps,
    uuid_bytes,
)
from hypothesis import given
from hypothesis import strategies as st

ID = "0a1b2c3d-4e5f-4789-8abc-def012345678"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z"


def _texts(*texts: str | None) -> pa.StringArray:
    return pa.array(texts, pa.string())


def _microseconds(text: str | None) -> int | None:
    """Return Unix microseconds by Python's own parser."""
    if text is None or not re.fullmatch(_FORM, text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _unix(text: str) -> int | None:
    found: list[int | None] = timestamps(_texts(text)).cast(pa.int64()).to_pylist()
    return found[0]


def test_uuids_have_one_form() -> None:
    """Only lower-case hexadecimal digits with hyphens in their places are a UUID."""
    texts = ["", ID, None, ID.upper(), ID[:-1], ID + "0", ID.replace("-", "0"), "g" + ID[1:]]

    assert are_uuids(_texts(*texts)).tolist() == [text == ID for text in texts]


@pytest.mark.parametrize("at", range(36))
def test_uuid_breaks_at_every_place(at: int) -> None:
    """A wrong byte at any place makes the text no UUID."""
    wrong = ID[:at] + ("0" if ID[at] == "-" else "-") + ID[at + 1 :]

    assert are_uuids(_texts(ID, wrong)).tolist() == [True, False]


@pytest.mark.parametrize("digit", "0123456789abcdef")
def test_uuid_takes_every_digit(digit: str) -> None:
    """Each hexadecimal digit is allowed and keeps its value."""
    text = re.sub("[0-9a-f]", digit, ID)

    assert are_uuids(_texts(text)).tolist() == [True]
    assert uuid_bytes(_texts(text)).tobytes() == UUID(text).bytes


@pytest.mark.parametrize("neighbour", ["/", ":", "`", "g", "@", "G"])
def test_uuid_refuses_neighbouring_bytes(neighbour: str) -> None:
    """The bytes beside the digits in ASCII are no digits."""
    assert are_uuids(_texts(ID[:-1] + neighbour)).tolist() == [False]


def test_uuids_of_slice() -> None:
    """A slice of a column is checked alone."""
    column = _texts("", ID, None, ID.upper(), ID).slice(1, 3)

    assert are_uuids(column).tolist() == [True, False, False]


def test_full_slice_of_uuids() -> None:
    """A slice in which each text has the width starts at its first byte."""
    column = _texts("abc", ID, ID.replace("0a", "ff"), "xyz").slice(1, 2)

    assert are_uuids(column).tolist() == [True, True]
    assert uuid_bytes(column).tobytes() == UUID(ID).bytes + UUID(ID.replace("0a", "ff")).bytes


def test_null_hides_bytes_beneath() -> None:
    """A null is no UUID, also where the buffer holds the bytes of one."""
    hidden = pa.StringArray.from_buffers(
        2,
        pa.array([0, 36, 72], pa.int32()).buffers()[1],
        pa.py_buffer((ID * 2).encode()),
        pa.py_buffer(b"\x01"),
    )

    assert are_uuids(hidden).tolist() == [True, False]
    assert uuid_bytes(hidden)[1].tolist() == [0] * 16


def test_uuid_bytes_are_zero_for_null() -> None:
    """A null has 16 zero bytes beside the bytes of its neighbours."""
    found = uuid_bytes(_texts(None, ID))

    assert found.shape == (2, 16)
    assert found[0].tolist() == [0] * 16
    assert found[1].tobytes() == UUID(ID).bytes


@given(st.lists(st.none() | st.uuids()))
def test_uuid_bytes_are_pythons(uuids: list[UUID | None]) -> None:
    """The bytes are those of Python's UUID."""
    column = _texts(*(None if uuid is None else str(uuid) for uuid in uuids))

    found = uuid_bytes(column)

    assert [row.tobytes() for row in found] == [uuid.bytes if uuid else bytes(16) for uuid in uuids]


@given(
    st.lists(
        st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001  given behind
            lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
        | st.from_regex(_FORM, fullmatch=True)
        | st.none()
    )
)
def test_moments_are_pythons(texts: list[str | None]) -> None:
    """A valid timestamp is parsed to the millisecond as Python does; other texts give null."""
    found = timestamps(_texts(*texts))

    assert found.type == pa.timestamp("us", "UTC")
    assert found.cast(pa.int64()).to_pylist() == [_microseconds(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000Z", 0),
        ("1970-01-01T00:00:00.001Z", 1_000),
        ("1970-01-01T00:00:01.000Z", 1_000_000),
        ("1970-01-01T00:01:00.000Z", 60_000_000),
        ("1970-01-01T01:00:00.000Z", 3_600_000_000),
        ("1970-01-02T00:00:00.000Z", 86_400_000_000),
        ("1970-02-01T00:00:00.000Z", 31 * 86_400_000_000),
        ("1971-01-01T00:00:00.000Z", 365 * 86_400_000_000),
        ("1969-12-31T23:59:59.999Z", -1_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999_000),
    ],
)
def test_moment_has_exact_value(text: str, expected: int) -> None:
    """Each part of a timestamp counts in its unit."""
    assert _unix(text) == expected


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("2026-01-31T23:59:59.999Z", "2026-01-32T23:59:59.999Z"),
        ("2026-01-01T00:00:00.000Z", "2026-01-00T00:00:00.000Z"),
        ("2026-01-01T00:00:00.000Z", "2026-00-01T00:00:00.000Z"),
        ("2026-12-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z"),
        ("2026-04-30T00:00:00.000Z", "2026-04-31T00:00:00.000Z"),
        ("2024-02-29T00:00:00.000Z", "2026-02-29T00:00:00.000Z"),
        ("2000-02-29T00:00:00.000Z", "2100-02-29T00:00:00.000Z"),
        ("2026-12-31T23:00:00.000Z", "2026-12-31T24:00:00.000Z"),
        ("2026-12-31T00:59:00.000Z", "2026-12-31T00:60:00.000Z"),
        ("2026-12-31T00:00:59.000Z", "2026-12-31T00:00:60.000Z"),
    ],
)
def test_calendar_bounds_timestamps(good: str, bad: str) -> None:
    """The last value that the calendar or clock has is a time, the next one is not."""
    assert timestamps(_texts(good, bad)).is_valid().to_pylist() == [True, False]


def test_moments_of_slice() -> None:
    """A slice of a column is parsed alone, beside nulls and other texts."""
    column = _texts("x", "1970-01-01T00:00:00.001Z", None, "late", "1970-01-01T00:00:00.002Z")

    assert timestamps(column.slice(1)).cast(pa.int64()).to_pylist() == [1_000, None, None, 2_000]


def test_start_and_end_bytes() -> None:
    """Each value gives its first and last byte; an empty one and a null give 0."""
    values = pa.array([b"zz", b"{a}", b"", None, b"x"], pa.binary()).slice(1)

    first, last = start_and_end_bytes(values)

    assert first.tolist() == [ord("{"), 0, 0, ord("x")]
    assert last.tolist() == [ord("}"), 0, 0, ord("x")]


def test_no_values_have_no_bytes() -> None:
    """An empty column without a data buffer is read, too."""
    first, last = start_and_end_bytes(pa.array([None], pa.binary()))

    assert (first.tolist(), last.tolist()) == ([0], [0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"aNaNb", b"b", None], [True, False, False]),
        ([b"NaN"], [True]),
        ([b"b", b"xNaN"], [False, True]),
        ([b"Na", b"xN"], None),
        ([b"aNa", b"nN", b"Nan"], None),
        ([b"NNaN"], [True]),
        ([], None),
    ],
)
def test_contains_finds_the_mark(values: list[bytes | None], expected: list[bool] | None) -> None:
    """A mask marks the values that contain the mark; without such a value there is no mask."""
    found = contains(pa.array(values, pa.binary()), b"NaN")

    assert (None if found is None else found.tolist()) == expected


def test_mark_across_values() -> None:
    """A mark that begins in one value and ends in the next is in neither."""
    found = contains(pa.array([b"xN", b"aN"], pa.binary()), b"NaN")

    assert found is None or found.tolist() == [False, False]


def test_contains_ignores_other_parts() -> None:
    """A mark before or behind a slice is not found in it."""
    values = pa.array([b"NaN", b"a", b"b", b"NaN"], pa.binary())

    assert contains(values.slice(1, 2), b"NaN") is None
    last = contains(values.slice(2), b"NaN")
    assert last is not None
    assert last.tolist() == [False, True]


@given(st.lists(st.none() | st.text("aN\\", max_size=6).map(str.encode)), st.integers(0, 3))
def test_contains_is_pythons_in(values: list[bytes | None], start: int) -> None:
    """The mask agrees with Python's ``in`` for all values and slices."""
    column = pa.array(values, pa.binary()).slice(start)

    found = contains(column, b"aN")

    expected = [value is not None and b"aN" in value for value in values[start:]]
    assert (expected if any(expected) else [False] * len(expected)) == (
        [False] * len(expected) if found is None else found.tolist()
    )


def test_unknown_is_not_true() -> None:
    """A null in a mask counts as false, in a slice too."""
    answers = pa.array([True, True, None, False], pa.bool_())

    assert as_mask(answers).tolist() == [True, True, False, False]
    assert as_mask(answers.slice(0, 2)).tolist() == [True, True]
    assert as_mask(answers).dtype == bool
