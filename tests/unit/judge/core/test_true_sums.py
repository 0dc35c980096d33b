"""Sums of the truth: two shards merged are the same as both added."""

from __future__ import annotations

import numpy as np
from clickstream_judge.core.remaking import Chunk
from clickstream_judge.core.true_sums import Span, TrueSums
from hypothesis import given
from hypothesis import strategies as st

TIMES = st.lists(st.tuples(st.integers(0, 300_000), st.sampled_from([0.0, 90.0])), max_size=9)


def _chunk(shard: int, times: list[tuple[int, float]]) -> Chunk:
    moments = np.array([moment for moment, _ in times], dtype=np.int64)
    late = np.array([seconds for _, seconds in times], dtype=float)
    seq = np.arange(len(times))
    return Chunk(shard, [], frozenset(), seq, moments, late, late > 0)


@given(TIMES, TIMES, st.none() | st.integers(0, 2), st.none() | st.integers(2, 6))
def test_merged_shards_are_added(
    first: list[tuple[int, float]],
    second: list[tuple[int, float]],
    since: int | None,
    before: int | None,
) -> None:
    """Counts, checksums, late events and unsettled minutes do not depend on who makes a shard."""
    together, parts = TrueSums(), [TrueSums(), TrueSums()]
    for shard, times in enumerate((first, second)):
        chunk = _chunk(shard, times)
        numbers = 7 + 2 * chunk.time_ms
        together.add(chunk, numbers, Span(since, before))
        parts[shard].add(chunk, numbers, Span(since, before))

    parts[0].merge(parts[1])

    assert parts[0] == together
    counted = sum(count for count, _ in together.sums.values())
    assert counted == sum(
        (since or 0) <= moment // 60_000 < (before or 9) for moment, _ in (*first, *second)
    )
    assert counted == sum(together.by_shard.values())


def test_late_minutes_are_unsettled() -> None:
    """The minute of a late event is unsettled if it was sent after the judged minutes."""
    sent_before, sent_after = (
        _chunk(0, [(60_000, 119.999), (120_001, 0.0)]),
        _chunk(1, [(60_000, 120.0)]),
    )

    def unsettled(chunk: Chunk, before: int | None) -> set[int]:
        sums = TrueSums()
        sums.add(chunk, chunk.time_ms, Span(None, before))
        return sums.unsettled

    assert unsettled(sent_before, 3) == set()
    assert unsettled(sent_after, 3) == {1}
    assert unsettled(sent_after, None) == set()
