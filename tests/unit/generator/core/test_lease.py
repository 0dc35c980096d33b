"""The lease: the holder of a shard and its grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
from clickstream_generator.core.lease import Claim, Claims, Grant, Lease
from clickstream_generator.errors import ShardTaken
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW = 1_000.0
_AHEAD = 5.0


def _lease(inherited_until: float = 0.0) -> Lease:
    return Lease({0: 3, 1: 7}, inherited_until, _AHEAD)


def test_first_claim_of_epoch_counts() -> None:
    """Of two workers that claim a shard at once, the one that comes first in the log holds it."""
    claims = Claims()
    first, second = Claim(0, 4, "first"), Claim(0, 4, "second")

    claims.take(first)
    claims.take(second)

    assert claims.is_held_by(first)
    assert not claims.is_held_by(second)
    assert claims.has_read(second)


def test_claim_of_earlier_epoch_is_void() -> None:
    """A claim that was under way for long takes nothing from a later holder."""
    claims = Claims()
    later = Claim(0, 5, "later")

    claims.take(later)
    claims.take(Claim(0, 4, "slow"))

    assert claims.is_held_by(later)
    assert claims.epoch_of(0) == 5
    assert claims.epoch_of(1) == 0


def test_nothing_is_granted_before_read_back() -> None:
    """A heartbeat allows events only once the log has it, for every shard."""
    lease = _lease()
    first, second = lease.next_grants(_NOW)
    assert lease.granted_until == 0.0

    lease.take_grant(first)
    assert lease.granted_until == 0.0
    lease.take_grant(second)

    assert lease.granted_until == _NOW + _AHEAD


def test_last_heartbeat_grants_nothing_ahead() -> None:
    """A successor waits for no grant of a holder that has released its shards."""
    assert {row.until_seconds for row in _lease().next_grants(_NOW, is_last=True)} == {_NOW}


def test_inherited_grant_is_never_lowered() -> None:
    """A successor whose clock is behind still says how far its predecessors may have come."""
    lease = _lease(inherited_until=_NOW + 60)

    assert {row.until_seconds for row in lease.next_grants(_NOW)} == {_NOW + 60}


def test_decision_waits_for_its_heartbeat() -> None:
    """A decision takes effect when the heartbeat that carries it is read back for all shards."""
    lease, done = _lease(), list[str]()
    earlier = lease.next_grants(_NOW)
    carrying = lease.next_grants(_NOW)
    lease.when_confirmed(lambda: done.append("decided"))

    for grant in (*earlier, carrying[0]):
        lease.take_grant(grant)
    assert (done, lease.is_waiting) == ([], True)
    lease.take_grant(carrying[1])

    assert (done, lease.is_waiting) == (["decided"], False)


def test_decisions_are_confirmed_in_order() -> None:
    """A decision waits for its heartbeat of every shard, and not for a later decision's."""
    lease = _lease()
    done: list[str] = []
    heartbeats = []
    for name in ("first", "second"):
        heartbeats.append(lease.next_grants(_NOW))
        lease.when_confirmed(partial(done.append, name))

    one, other = heartbeats[0]
    lease.take_grant(one)
    assert done == []
    lease.take_grant(other)
    assert done == ["first"]
    assert lease.is_waiting


def test_grants_of_other_epochs_are_ignored() -> None:
    """What an earlier holder still sends allows this one nothing."""
    lease = _lease()

    for grant in (
        Grant(0, 2, 99, _NOW + 99),
        Grant(1, 6, 99, _NOW + 99),
        Grant(5, 3, 99, _NOW + 99),
    ):
        lease.take_grant(grant)

    assert lease.granted_until == 0.0


def test_later_claim_takes_the_shard() -> None:
    """The error names the shard; claims of other shards and of earlier epochs do no harm."""
    lease = _lease()
    lease.take_claim(Claim(0, 3, "late"))
    lease.take_claim(Claim(9, 99, "elsewhere"))

    with pytest.raises(ShardTaken, match="shard 1") as taken:
        lease.take_claim(Claim(1, 8, "other"))

    assert (taken.value.shard, taken.value.holder) == (1, "other")


@dataclass(frozen=True)
class _Heartbeat:
    """A position of the model: a grant, and the revisions (their moments) that are known."""

    grant: Grant
    revisions: tuple[int, ...]


@dataclass
class _Log:
    """The log, what was made of each moment, and the one clock that all look at."""

    records: list[Claim | _Heartbeat] = field(default_factory=list)
    made: dict[int, int] = field(default_factory=dict)
    now: int = 100


class _Worker:
    """A worker of one shard that may pause for any time between any two steps."""

    def __init__(self, log: _Log, name: str) -> None:
        self._log = log
        self._claims = Claims()
        self._positions: dict[int, _Heartbeat] = {}
        self._queue: list[Claim | _Heartbeat] = []
        self._revisions: list[int] = []
        self._announced: int | None = None
        self._at = 0
        self._lease: Lease | None = None
        self._read_all()
        self._claim = Claim(0, self._claims.epoch_of(0) + 1, name)
        self._queue.append(self._claim)

    def send(self) -> None:
        """The client hands the next record to the broker."""
        if self._queue:
            self._log.records.append(self._queue.pop(0))

    def read(self) -> None:
        """Read the log to its end until it has the claim, then one record at a time."""
        if self._lease is not None:
            if self._at < len(self._log.records):
                record = self._log.records[self._at]
                self._at += 1
                if isinstance(record, Claim):
                    self._lease.take_claim(record)
                else:
                    self._lease.take_grant(record.grant)
            return
        self._read_all()
        if not self._claims.has_read(self._claim):
            return
        if not self._claims.is_held_by(self._claim):
            raise ShardTaken(0, "other")
        last = self._positions[max(self._positions)] if self._positions else None
        self._revisions = list(last.revisions) if last else []
        until = max((row.grant.until_seconds for row in self._positions.values()), default=0.0)
        self._lease = Lease({0: self._claim.epoch}, until, 4)

    def heartbeat(self) -> None:
        """Queue a heartbeat."""
        if self._lease is not None:
            (grant,) = self._lease.next_grants(self._log.now)
            announced = () if self._announced is None else (self._announced,)
            self._queue.append(_Heartbeat(grant, (*self._revisions, *announced)))

    def revise(self) -> None:
        """Announce a revision that takes effect after every event of a predecessor."""
        if self._lease is not None and self._announced is None:
            latest = max(self._revisions, default=0)
            moment = int(max(self._log.now, latest + 1, self._lease.inherited_until))
            self._announced = moment
            self.heartbeat()
            self._lease.when_confirmed(self._take_over)

    def make(self) -> None:
        """Make all granted events again, and compare them with the earlier ones."""
        if self._lease is None:
            return
        horizon = int(min(self._log.now, self._lease.granted_until))
        if self._announced is not None:
            horizon = min(horizon, self._announced)
        for moment in range(100, horizon + 1):
            version = max((row for row in self._revisions if row < moment), default=0)
            assert self._log.made.setdefault(moment, version) == version

    def _read_all(self) -> None:
        for record in self._log.records[self._at :]:
            if isinstance(record, Claim):
                self._claims.take(record)
            else:
                self._positions[record.grant.epoch] = record
        self._at = len(self._log.records)

    def _take_over(self) -> None:
        assert self._announced is not None
        self._revisions.append(self._announced)
        self._announced = None


_STEPS: tuple[Callable[[_Worker], None], ...] = (
    _Worker.send,
    _Worker.read,
    _Worker.heartbeat,
    _Worker.revise,
    _Worker.make,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 7)), min_size=20, max_size=200))
def test_paused_workers_make_the_same_events(steps: list[tuple[int, int]]) -> None:
    """Under any pauses, no two workers make events of one moment with different revisions."""
    log = _Log()
    workers: list[_Worker | None] = [None, None, None]
    for number, (place, step) in enumerate(steps):
        worker = workers[place]
        if worker is None:
            workers[place] = _Worker(log, str(number))
        elif step == len(_STEPS):
            log.now += 3
        elif step > len(_STEPS):
            for usual in (_Worker.heartbeat, _Worker.send, _Worker.read, _Worker.make):
                try:
                    usual(worker)
                except ShardTaken:
                    workers[place] = None
                    break
        else:
            try:
                _STEPS[step](worker)
            except ShardTaken:
                workers[place] = None
