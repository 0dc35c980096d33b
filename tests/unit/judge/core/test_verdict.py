"""Verdicts: counts are exact, and ranges, minutes and examples are bounded."""

from __future__ import annotations

from clickstream_judge.core import verdict
from clickstream_judge.core.merging import Finding, Kind, ResultRow, TrueEvent
from clickstream_judge.core.verdict import collect, minute_ranges


def _event(seq: int, shard: int = 0) -> TrueEvent:
    return TrueEvent(f"id{seq}", 60_000 * (seq // 10), (), shard, seq)


def test_ranges_of_lost() -> None:
    """Consecutive numbers of one shard are one range."""
    lost = [Finding(Kind.LOST, _event(seq), None) for seq in (3, 4, 5, 9)]
    lost.append(Finding(Kind.LOST, _event(10, shard=1), None))

    (found,) = collect(lost, 2, {})

    assert (found.count, found.ranges) == (5, 3)
    assert found.shard_ranges == ((0, 3, 5), (0, 9, 9), (1, 10, 10))
    assert found.minutes == ((0, 2),)
    assert len(found.examples) == 2


def test_kept_ranges_are_bounded() -> None:
    """The count of ranges is exact, however many are kept."""
    lost = [Finding(Kind.LOST, _event(2 * seq), None) for seq in range(verdict.MOST_RANGES + 5)]

    (found,) = collect(lost, 0, {})

    assert found.count == found.ranges == verdict.MOST_RANGES + 5
    assert len(found.shard_ranges) == verdict.MOST_RANGES


def test_examples_of_each_kind() -> None:
    """An example names the event, and what was expected and found; equal changes come once."""
    event, row = _event(1), ResultRow("id1", 3_600_000, ())
    found = collect(
        [
            Finding(Kind.ALTERED, event, row, "city", "Köln", "K" * 200),
            Finding(Kind.ALTERED, _event(2), row, "city", "Köln", "K" * 200),
            Finding(Kind.ALTERED, event, row, "country", "DE", None),
            Finding(Kind.MISPLACED, event, row),
            Finding(Kind.DUPLICATED, event, row, copies=2),
            Finding(Kind.LATE_DROPPED, TrueEvent("id7", 0, (), 0, 7, 12.5), None),
            Finding(Kind.PHANTOM, None, row),
        ],
        5,
        {},
    )
    texts = {(each.kind, each.column): each.examples for each in found}

    place = "id1 (shard 0, shard_seq 1)"
    assert len(texts[Kind.ALTERED, "city"]) == 1
    assert texts[Kind.ALTERED, "city"][0].endswith(f" found '{'K' * 76}...")
    assert texts[Kind.ALTERED, "country"] == (f"{place}: expected 'DE', found no value",)
    assert texts[Kind.MISPLACED, ""] == (
        f"{place}: expected at 0, found at 3600000 (Unix ms)",
    )  # fmt: skip
    assert texts[Kind.DUPLICATED, ""] == (f"{place}: 3 rows",)
    assert texts[Kind.LATE_DROPPED, ""] == ("id7 (shard 0, shard_seq 7): 12.5 s late",)
    assert texts[Kind.PHANTOM, ""] == ("id 'id1'",)


def test_few_ranges_cover_all_minutes() -> None:
    """With a limit, the smallest gaps are closed and no minute is left out."""
    minutes = [1, 2, 4, 100, 102, 900]

    assert minute_ranges(minutes) == [(1, 3), (4, 5), (100, 101), (102, 103), (900, 901)]
    assert minute_ranges(minutes, 3) == [(1, 5), (100, 103), (900, 901)]
    assert minute_ranges(minutes, 1) == [(1, 901)]


def test_phantoms_differ_by_their_id() -> None:
    """Rows of nowhere with one id are one example."""
    phantoms = [Finding(Kind.PHANTOM, None, ResultRow(name, 0, ())) for name in "aab"]

    (found,) = collect(phantoms, 5, {})
    assert (found.count, found.examples) == (3, ("id 'a'", "id 'b'"))
