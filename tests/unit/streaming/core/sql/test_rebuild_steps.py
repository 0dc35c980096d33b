"""The statements of a rebuild have the values that they need, and let batches pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.columns import Column
from clickstream_streaming.core.sql.mart import Mart
from clickstream_streaming.core.sql.marts import MARTS
from clickstream_streaming.core.sql.rebuild_steps import (
    add_corrections,
    compare_suspects,
    corrections,
    insert_missing,
    no_suspects,
    replace_wrong,
    suspects,
    times_of_suspects,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANGE = {"since": "a", "until": "b"}
_SUMS = [mart for mart in MARTS if mart.is_sum]
_OTHERS = [mart for mart in MARTS if not mart.is_sum]
_USER = Column("user_id", "text", "User.")
_LATEST = Column("seen_at", "timestamptz", "Latest.", "max(event_time)", merge="greatest")
_SHARED = Mart("mart.seen", "Seen.", (_USER,), (_LATEST,), "events", "", is_shared=True)


def _filled(statements: Iterable[str], values: dict[str, str]) -> str:
    """Return the statements with their values; a missing name or a bare ``%`` is an error."""
    return "".join(statement % values for statement in statements)


@pytest.mark.parametrize("mart", _SUMS, ids=lambda mart: mart.table)
def test_sums_need_only_a_range(mart: Mart) -> None:
    """What a sum lacks is found in a range and added to rows of one writer."""
    assert "%" not in _filled([corrections(mart)], _RANGE)
    assert f"INSERT INTO {mart.written_table} " in add_corrections(mart)


@pytest.mark.parametrize("mart", _OTHERS, ids=lambda mart: mart.table)
def test_other_rows_need_their_range(mart: Mart) -> None:
    """Suspects name their piece, comparisons their range, and portions their numbers."""
    asked = (suspects(mart) % (_RANGE | {"piece": "7"}), no_suspects(mart), times_of_suspects(mart))
    compared = _filled(compare_suspects(mart), _RANGE)
    written = _filled([*replace_wrong(mart), insert_missing(mart)], {"after": "0", "last": "9"})

    assert "%(" not in "".join((*asked, compared, written))
    assert "LOCK TABLE" not in compared + written


def test_absent_sum_equals_zero() -> None:
    """A row of zeros and no row are the same sum."""
    statement = corrections(_SUMS[0])
    name = _SUMS[0].values[0]

    assert f"coalesce(wanted.{name}, 0) <> coalesce(found.{name}, 0)" in statement


def test_locked_rows_are_left() -> None:
    """Only the first statement locks rows, and it passes those that a batch has."""
    chosen, *changes = replace_wrong(_SHARED)

    assert chosen.rstrip().endswith("FOR UPDATE OF known SKIP LOCKED")
    assert "number <= %(last)s" in chosen
    assert all("FROM unchanged" in change for change in changes)


def test_shared_rows_have_a_writer() -> None:
    """A shared mart is read by its view, and its missing rows belong to one writer."""
    _, _, former, *_ = compare_suspects(_SHARED)

    assert "FROM mart.seen_by_writer" in former
    assert "INSERT INTO mart.seen_by_writer (user_id, seen_at, writer)" in insert_missing(_SHARED)
    assert "FROM mart.seen AS one" in suspects(_SHARED)
