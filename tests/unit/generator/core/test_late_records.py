"""Late records: which one is due next, and which are open."""

from __future__ import annotations

import numpy as np
from clickstream_generator.core.faults import LateRecord
from clickstream_generator.core.late_records import LateRecords
from hypothesis import given
from hypothesis import strategies as st


def _late(due_seconds: float, shard: int = 0, shard_seq: int = 1) -> LateRecord:
    return LateRecord((b"{}", b"k"), due_seconds, shard, shard_seq, {(shard, 0): np.ones(1)})


def test_record_is_due_at_its_moment() -> None:
    """A record is returned once, when it is due."""
    records, late = LateRecords([0]), _late(10.0)
    records.hold(late)

    assert records.take_due(9.999) is None
    assert records.is_waiting()
    assert records.take_due(10.0) is late
    assert records.take_due(11.0) is None
    assert not records.is_waiting()


@given(st.lists(st.integers(0, 5)))
def test_earliest_record_comes_first(moments: list[int]) -> None:
    """Records come in the order of their moments; at one moment, in the order of holding."""
    records = LateRecords([0])
    for number, moment in enumerate(moments):
        records.hold(_late(float(moment), shard_seq=number))

    taken = []
    while (late := records.take_due(5.0)) is not None:
        taken.append((late.due_seconds, late.shard_seq))

    assert taken == sorted((float(moment), number) for number, moment in enumerate(moments))


def test_taken_record_stays_open() -> None:
    """A record is open until the broker has it, whether it is sent or not."""
    records, late = LateRecords([0, 1]), _late(1.0, shard=1, shard_seq=7)
    assert records.tallies() == []
    records.hold(late)
    records.take_due(1.0)

    assert records.tallies() == [late.tally]
    records.close(late)
    assert records.tallies() == []
    assert records.open_up_to(1, 7) == []


def test_open_records_are_of_shard() -> None:
    """Asked for a shard up to a number, that one is included and other shards are not."""
    records = LateRecords([0, 1])
    first, second, other = _late(1.0, 0, 5), _late(2.0, 0, 6), _late(3.0, 1, 1)
    for late in (first, second, other):
        records.hold(late)

    assert records.open_up_to(0, 4) == []
    assert records.open_up_to(0, 5) == [first]
    assert records.open_up_to(0, 6) == [first, second]
    assert records.open_up_to(1, 9) == [other]
