"""Columns of bytes: numbers of any size, joined and of fixed width."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from clickstream_generator.core.byte_columns import (
    column,
    digits,
    fixed,
    join,
    lengths,
    listed,
    pool,
    scalar,
    texts,
    varint,
    varints,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20_000)


@pytest.mark.parametrize(
    ("number", "octets"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (-1, "ffffffffffffffffff01")],
)
def test_number_is_a_varint(number: int, octets: str) -> None:
    """Numbers have the bytes of Protobuf's documentation."""
    assert varint(number).hex() == octets


@settings(max_examples=30)
@example([300, 2**21], b"")
@given(st.lists(NUMBERS, max_size=20), st.binary(max_size=3))
def test_columns_are_varints(numbers: list[int], before: bytes) -> None:
    """A column has the bytes of each of its numbers, with the same bytes in front of each."""
    column = varints(np.array(numbers, dtype=np.int64), before)

    assert column.to_pylist() == [before + varint(number) for number in numbers]


def test_columns_are_joined() -> None:
    """Columns, constants and rows of a matrix are joined element by element."""
    matrix = np.frombuffer(b"abcd", dtype=np.uint8).reshape(2, 2)
    joined = join(fixed(matrix), b"-", digits(np.array([7, 10], dtype=np.int16)))

    assert joined.to_pylist() == [b"ab-7", b"cd-10"]
    assert lengths(joined).tolist() == [4, 5]


def test_values_become_lists() -> None:
    """Lists have the given lengths, and may be empty."""
    assert listed(pool([b"a", b"b", b"c"]), np.array([0, 2, 1])).to_pylist() == [
        [], [b"a", b"b"], [b"c"],
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["bool", "int8", "int32", "int64"])
@settings(max_examples=30)
@given(st.lists(st.integers(0, 100), max_size=20), st.integers(1, 3))
def test_column_has_the_numbers(kind: str, numbers: list[int], step: int) -> None:
    """Numbers and truth values come back, also those of a field between others."""
    values = np.array(numbers).astype(kind)[::step]

    assert column(values).to_pylist() == values.tolist()
    column(values).validate(full=True)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=5), max_size=10), st.text(max_size=3))
def test_texts_are_joined(values: list[str], between: str) -> None:
    """Texts come back, and a constant is a text or bytes as its neighbours are."""
    joined = join(texts(values), between, texts(values))

    assert joined.to_pylist() == [value + between + value for value in values]
    joined.validate(full=True)
    assert scalar(between).as_py() == between
    assert scalar(between.encode()).as_py() == between.encode()


def test_generator_loads_no_pandas() -> None:
    """A run of JSON events imports neither pandas nor an HTTP client: it would start later."""
    code = (
        "import sys; from simulations import events, simulator; source = simulator();"
        " source.encoder.encode(source.take_due(1764000001, 9), 0);"
        " import clickstream_generator.__main__;"
        " print({'pandas', 'httpx'} & set(sys.modules))"
    )
    support = Path(__file__).parents[3] / "support"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(support)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("set()\n", "")
