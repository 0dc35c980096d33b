"""Rows of CSV that a user wrote: lines are counted, and each error says where and what to do."""

from __future__ import annotations

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.csv_rows import csv_rows


def test_rows_have_their_lines() -> None:
    """A row has the number of its last line; quotes hold commas, quotes and ends of lines."""
    text = '\ufeffb,a,more columns\n"x, ""y""\nz",1,-\nq\n'
    rows = [(line, row["a"], row["b"]) for line, row in csv_rows(text, "f.csv", ("a", "b"))]
    assert rows == [(3, "1", 'x, "y"\nz'), (4, None, "q")]


@pytest.mark.parametrize(
    ("text", "where", "allowed"),
    [
        ("", "f.csv, line 1", "the column a is missing; name a, b"),
        ("a\n1\n", "f.csv, line 1", "the column b is missing; name a, b"),
        ("a,b\n1,2\n1,2,3\n", "f.csv, line 3", "it has more values than line 1 has columns"),
        ('a,b\n1,"2\n', "f.csv, line 2", "it must be CSV with commas"),
    ],
)
def test_wrong_file_is_refused(text: str, where: str, allowed: str) -> None:
    """A file without a column, with too many values or an open quote is refused by its line."""
    with pytest.raises(SimulationInvalid) as caught:
        list(csv_rows(text, "f.csv", ("a", "b")))
    assert str(caught.value).startswith(where)
    assert allowed in str(caught.value)
