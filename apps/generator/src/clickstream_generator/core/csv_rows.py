"""Rows of a CSV file that a user wrote, with the columns that it must have.

Owns the errors of such a file: each names the file, the line and what to do.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["csv_rows"]

_MORE = "more"
"""Key of the values in a line that has more of them than there are columns."""


def csv_rows(
    text: str, place: str, columns: Iterable[str]
) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """Yield each row with the number of its line.

    Args:
        text: The file's text.
        place: The file's name.
        columns: The columns that it must have; others may be there too.

    Raises:
        SimulationInvalid: The text is no CSV, lacks a column, or has a row with too many values.
    """
    wanted = tuple(columns)
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), restkey=_MORE, strict=True)
    try:
        for column in wanted:
            if column not in (reader.fieldnames or ()):
                raise SimulationInvalid(
                    f"{place}, line 1",
                    list(reader.fieldnames or ()),
                    f"the column {column} is missing; name {', '.join(wanted)}",
                )
        for row in reader:
            if _MORE in row:
                raise SimulationInvalid(
                    f"{place}, line {reader.line_num}",
                    list(row.values()),
                    'it has more values than line 1 has columns; put a value with a comma in "..."',
                )
            yield reader.line_num, row
    except csv.Error as error:
        where = f"{place}, line {reader.reader.line_num}"
        raise SimulationInvalid(where, str(error), "it must be CSV with commas") from None
