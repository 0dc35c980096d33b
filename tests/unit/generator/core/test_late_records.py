"""Late records: which one is due next, and which are open."""

from __future__ import annotations

import numpy as np
from clickstream_generator.core.faults import LateRecord
from clickstream_generator.core.late_records import LateRecords
from hypothesis import given
from hypothesis import strategies as st


def _late(due_seconds: float, shard_seq: int = 1) -> LateRecord:
    value = b"{%d}" % shard_seq
    figures = np.full(3, shard_seq, dtype=np.int64)
    return LateRecord((value, b"k"), due_seconds, 1, shard_seq, {(1, 60_000): figures})


def _held(records: LateRecords, shard_seq: int) -> list[int]:
    """Return the numbers of the records that a snapshot would have."""
    found: list[int] = records.to_arrays(shard_seq)["held_seq"].tolist()
    return found


def test_record_is_due_at_its_moment() -> None:
    """A record is returned once, when it is due."""
    records, late = LateRecords(), _late(10.0)
    records.hold(late)

    assert records.take_due(9.999) is None
    assert records.is_waiting()
    assert records.take_due(10.0) is late
    assert records.take_due(11.0) is None
    assert not records.is_waiting()


@given(st.lists(st.integers(0, 5)))
def test_earliest_record_comes_first(moments: list[int]) -> None:
    """Records come in the order of their moments; at one moment, in the order of holding."""
    records = LateRecords()
    for number, moment in enumerate(moments):
        records.hold(_late(float(moment), shard_seq=number))

    taken = []
    while (late := records.take_due(5.0)) is not None:
        taken.append((late.due_seconds, late.shard_seq))

    assert taken == sorted((float(moment), number) for number, moment in enumerate(moments))


def test_taken_record_stays_open() -> None:
    """A record is open until the receiver has it, whether it is sent or not."""
    records, late = LateRecords(), _late(1.0, shard_seq=7)
    assert records.tallies() == []
    records.hold(late)
    records.take_due(1.0)

    assert records.tallies() == [late.tally]
    assert _held(records, 7) == [7]
    records.close(late)
    assert records.tallies() == []
    assert _held(records, 7) == []


def test_arrays_end_at_the_number() -> None:
    """The arrays have the records up to a number, that one included."""
    records = LateRecords()
    records.hold(_late(1.0, 5))
    records.hold(_late(2.0, 6))

    assert _held(records, 4) == []
    assert _held(records, 5) == [5]
    assert _held(records, 6) == [5, 6]


def test_records_survive_as_arrays() -> None:
    """Open records are read back with their bytes, moments and figures, and are sent again."""
    records, sent = LateRecords(), _late(1.0, 3)
    for late in (_late(9.0, 2), sent, _late(4.0, 11)):
        records.hold(late)
    assert records.take_due(1.0) is sent

    again = LateRecords.from_arrays(1, records.to_arrays(99))

    for wanted in (sent, _late(4.0, 11), _late(9.0, 2)):
        found = again.take_due(9.0)
        assert found is not None
        assert (found.record, found.due_seconds) == (wanted.record, wanted.due_seconds)
        assert (found.shard, found.shard_seq) == (1, wanted.shard_seq)
        ((key, figures),) = found.tally.items()
        assert (key, figures.tolist()) == ((1, 60_000), [wanted.shard_seq] * 3)
    assert not again.is_waiting()
    assert len(again.tallies()) == 3


def test_nothing_held_survives() -> None:
    """Without late records the arrays are empty and read back as none."""
    arrays = LateRecords().to_arrays(99)

    assert LateRecords.from_arrays(0, arrays).tallies() == []
    assert arrays["held_due"].dtype == np.float64
    assert arrays["held_bytes"].dtype == np.uint8
