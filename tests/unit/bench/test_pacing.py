"""How exactly the rate is kept: the figures, and how arrivals are counted."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from clickstream_bench import pacing
from clickstream_bench.pacing import _arrived_by, _has_begun, measure_pacing
from clickstream_contract.document import parse_simulation
from clickstream_contract.topics import EVENTS
from confluent_kafka import KafkaException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Consumer, TopicPartition


def test_errors_are_in_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate is off by its whole minute, and by its worst window in either direction."""

    @contextmanager
    def broker() -> Iterator[str]:
        yield "servers"

    counts = {
        50: [500, 510, 490, 500, 500, 500],
        5_000: [50_000, 50_000, 50_000, 50_000, 50_000, 47_000],
        100_000: [1_010_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000],
    }
    monkeypatch.setattr(pacing, "fresh_broker", broker)
    monkeypatch.setattr(pacing, "_counts", lambda _servers, rate: counts[rate])

    assert measure_pacing() == pytest.approx(
        {
            "rate_50_minute_error_percent": 0.0,
            "rate_50_worst_window_error_percent": 2.0,
            "rate_5000_minute_error_percent": 1.0,
            "rate_5000_worst_window_error_percent": 6.0,
            "rate_100000_minute_error_percent": 1 / 6,
            "rate_100000_worst_window_error_percent": 1.0,
        }
    )


@pytest.mark.parametrize("rate", pacing.RATES)
def test_simulation_is_valid(rate: int) -> None:
    """The measured simulation has exactly that rate."""
    assert parse_simulation(pacing._SIMULATION.format(rate=rate)).spec.rate.per_second == rate


class _Consumer:
    """A consumer that only returns offsets.

    Attributes:
        asked: The moments that were asked for.
    """

    def __init__(
        self, offset: int = 0, *, is_broken: bool = False, has_error: bool = False
    ) -> None:
        self.asked: list[int] = []
        self._offset, self._is_broken, self._has_error = offset, is_broken, has_error

    def get_watermark_offsets(self, _place: TopicPartition, timeout: float) -> tuple[int, int]:
        """Return the first and the next offset."""
        assert timeout > 0
        if self._is_broken:
            raise KafkaException("no leader")
        return 0, self._offset

    def offsets_for_times(
        self, places: list[TopicPartition], timeout: float
    ) -> list[SimpleNamespace]:
        """Return the same offset for every partition."""
        assert timeout > 0
        self.asked += [place.offset for place in places]
        error = "no leader" if self._has_error else None
        return [SimpleNamespace(offset=self._offset, error=error) for _ in places]


@pytest.mark.parametrize(
    ("consumer", "has_begun"),
    [(_Consumer(0), False), (_Consumer(3), True), (_Consumer(3, is_broken=True), False)],
)
def test_first_event_begins(consumer: _Consumer, *, has_begun: bool) -> None:
    """Events arrive once a partition has one; a topic without a leader has none."""
    assert _has_begun(cast("Consumer", consumer)) is has_begun


def test_arrivals_are_summed() -> None:
    """What arrived by a moment is counted over all partitions, to the millisecond."""
    consumer = _Consumer(7)

    assert _arrived_by(cast("Consumer", consumer), 1_000.0016) == 7 * EVENTS.partitions
    assert consumer.asked == [1_000_002] * EVENTS.partitions


@pytest.mark.parametrize("consumer", [_Consumer(-1), _Consumer(7, has_error=True)])
def test_gaps_are_an_error(consumer: _Consumer) -> None:
    """A partition without a later record is an error."""
    with pytest.raises(RuntimeError, match="sent nothing for a while"):
        _arrived_by(cast("Consumer", consumer), 1.0)
