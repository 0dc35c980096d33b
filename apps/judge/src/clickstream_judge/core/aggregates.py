"""The comparison of a table of sums with the sums that the truth makes.

Owns the groups of the truth and their differences. A user and a session belong to one shard, so
their distinct numbers add up over shards; and a shard's events come in the order of time, so that
only the users and sessions of the current time are kept.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickstream_judge.core.mapping import TIME_KEYS, KeyName, MeasureName
from clickstream_judge.core.merging import Kind
from clickstream_judge.core.verdict import MOST_RANGES, Verdict, cut_text, minute_ranges
from clickstream_judge.errors import TooMuchToJudge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from clickstream_judge.core.mapping import AggregateTable
    from clickstream_judge.core.remaking import Chunk

__all__ = ["NEEDED_FIELDS", "Groups", "time_key"]

MOST_GROUPS = 2_000_000
"""Most groups of one table: about a gigabyte of memory."""
_COLUMNS = {
    KeyName.COUNTRY: "country",
    KeyName.DEVICE: "device",
    KeyName.CHANNEL: "channel",
    KeyName.PRODUCT: "product_id",
    KeyName.EVENT_NAME: "event_name",
    KeyName.SIMULATION: "simulation",
}
_DISTINCT = {MeasureName.USERS: "user_id", MeasureName.SESSIONS: "session_id"}
NEEDED_FIELDS = (*_COLUMNS.values(), *_DISTINCT.values(), "value_minor")
"""The fields from which groups are made."""
_SUMS = {
    MeasureName.EVENTS: "count_all",
    MeasureName.ORDERS: "orders_sum",
    MeasureName.REVENUE: "revenue_sum",
}
_MINUTES = {KeyName.MINUTE: 1, KeyName.HOUR: 60, KeyName.DAY: 1440}

Key = tuple[int | str, ...]


def time_key(time_ms: np.ndarray, key: KeyName, zone: str) -> np.ndarray:
    """Return the Unix minute at which the minute, hour or day of each time begins.

    A day begins in a zone. Its number is the local day's, times 1440, in any zone.
    """
    minutes: np.ndarray = time_ms // 60_000
    if key is KeyName.DAY and zone != "UTC":
        local = pa.array(time_ms, pa.timestamp("ms", tz=str(ZoneInfo(zone))))
        minutes = pc.local_timestamp(local).cast(pa.int64()).to_numpy() // 60_000
    length = _MINUTES[key]
    return minutes // length * length


@dataclass
class _Notes:
    """The differences of one measure: how many, and the first ones."""

    count: int = 0
    first: list[tuple[Key, str]] = field(default_factory=list)

    def add(self, key: Key, text: str) -> None:
        self.count += 1
        if len(self.first) < MOST_RANGES:
            self.first.append((key, text))


@dataclass
class Groups:
    """The groups of one table, as the truth makes them.

    Attributes:
        path: The mapping's field, for errors.
        table: The table's mapping.
        until: Only groups that end before this Unix minute; ``None`` for all.
        dropped_after_seconds: Later events may be missing; ``None`` if none may.
        most: The largest number of groups.
    """

    path: str
    table: AggregateTable
    until: int | None = None
    dropped_after_seconds: float | None = None
    most: int = MOST_GROUPS
    _sums: dict[Key, list[int]] = field(default_factory=dict)
    _least: dict[Key, list[int]] = field(default_factory=dict)
    _seen: dict[tuple[bool, MeasureName], set[tuple[Any, ...]]] = field(default_factory=dict)
    _shard: int = -1
    _time: int = 0
    _open: set[int] = field(default_factory=set)

    @property
    def has_time(self) -> bool:
        """Whether a key is a time; without one, every group grows during the run."""
        return self._time_place() is not None

    def add(self, chunk: Chunk) -> None:
        """Add events; each shard's in the order of their times."""
        parts = [self._time_column(chunk)]
        parts += [
            chunk.table[_COLUMNS[key]].combine_chunks()
            for key in self.table.keys
            if key in _COLUMNS
        ]
        table = pa.table(
            {f"k{place}": part for place, part in enumerate(parts)}
            | {name: chunk.table[name] for name in (*_DISTINCT.values(), "event_name")}
            | {"value": chunk.table["value_minor"], "late": pa.array(chunk.late_seconds)}
        )
        keys = [f"k{place}" for place in range(len(parts))]
        for key in keys:
            table = table.filter(pc.is_valid(table[key]))
        if not len(table):
            return
        self._forget(chunk.shard, int(pc.min(table["k0"]).as_py()))
        self._add_to(self._sums, table, keys, is_least=False)
        if self.dropped_after_seconds is not None:
            kept = table.filter(pc.less_equal(table["late"], self.dropped_after_seconds))
            self._add_to(self._least, kept, keys, is_least=True)

    def merge(self, other: Groups) -> None:
        """Add the groups of other shards; afterwards no more events can be added."""
        for mine, theirs in ((self._sums, other._sums), (self._least, other._least)):
            for key, figures in theirs.items():
                known = self._figures(mine, key)
                for place, figure in enumerate(figures):
                    known[place] += figure

    def compare(
        self,
        rows: Iterable[Sequence[Any]],
        most_examples: int,
        *,
        is_date: bool = False,
        open_minutes: Collection[int] = (),
    ) -> list[Verdict]:
        """Return the differences, one verdict per measure; use the groups only once.

        Args:
            rows: Keys and then measures in the mapping's order; times are Unix milliseconds, rows
                without a key are left out.
            most_examples: Examples to keep of each measure.
            is_date: Whether the day is a date, which has no zone.
            open_minutes: Minutes of which events are still to come; their groups are left out.
        """
        self._open = {self._begin(minute) for minute in open_minutes}
        found: dict[str, _Notes] = defaultdict(_Notes)
        names = [name.value for name in self.table.measures]
        width = len(self.table.keys)
        left = dict(self._sums)
        for row in rows:
            if any(part is None for part in row[:width]):
                continue
            key = self._key(row[:width], is_date=is_date)
            if self._is_open(key):
                continue
            wanted = left.pop(key, None)
            if wanted is None:
                is_known = key in self._sums
                text = "the group has several rows" if is_known else "the truth has no such group"
                found["groups"].add(key, text)
                continue
            least = self._least_of(key, wanted)
            for name, low, high, there in zip(names, least, wanted, row[width:], strict=True):
                if there is None or not low <= int(there) <= high or int(there) != there:
                    allowed = str(high) if low == high else f"{low} to {high}"
                    found[name].add(key, f"expected {allowed}, found {there}")
        for key, wanted in left.items():
            if not self._is_open(key) and any(self._least_of(key, wanted)):
                found["groups"].add(key, "the group is missing")
        return [self._verdict(name, notes, most_examples) for name, notes in sorted(found.items())]

    def _key(self, parts: Sequence[Any], *, is_date: bool) -> Key:
        """Return a group's key; its time is the Unix minute at which it begins."""
        place = self._time_place()
        if place is None:
            return tuple(parts)
        name, time_ms = self._time_name(), np.array([int(parts[place])])
        if name is KeyName.DAY and not is_date:
            minute = int(time_key(time_ms, name, self.table.time_zone)[0])
        else:
            minute = int(time_ms[0]) // 60_000
        return (*parts[:place], minute, *parts[place + 1 :])

    def _least_of(self, key: Key, wanted: list[int]) -> list[int]:
        if self.dropped_after_seconds is None:
            return wanted
        return self._least.get(key, [0] * len(wanted))

    def _is_open(self, key: Key) -> bool:
        """Return whether a group may still grow."""
        place = self._time_place()
        if self.until is None or place is None:
            return False
        if key[place] in self._open:
            return True
        length = _MINUTES[self._time_name()]
        # A local day may begin up to 14 hours before or after UTC's.
        slack = 840 if self._time_name() is KeyName.DAY and self.table.time_zone != "UTC" else 0
        return int(key[place]) + length + slack > self.until

    def _begin(self, minute: int) -> int:
        """Return the Unix minute at which the group of a minute begins."""
        if self._time_place() is None:
            return 0
        time_ms = np.array([minute * 60_000])
        return int(time_key(time_ms, self._time_name(), self.table.time_zone)[0])

    def _verdict(self, name: str, notes: _Notes, most_examples: int) -> Verdict:
        place = self._time_place()
        minutes = [int(key[place]) for key, _ in notes.first] if place is not None else []
        labels = [key.value for key in self.table.keys]
        examples = []
        for key, text in notes.first[:most_examples]:
            named = ", ".join(
                f"{label} {cut_text(part) if isinstance(part, str) else part}"
                for label, part in zip(labels, key, strict=True)
            )
            examples.append(f"{named}: {text}")
        column = f"{self.table.name}: {name}"
        return Verdict(
            Kind.AGGREGATE, column, notes.count, tuple(minute_ranges(minutes)),
            examples=tuple(examples),
        )  # fmt: skip

    def _time_name(self) -> KeyName:
        return next(key for key in self.table.keys if key in TIME_KEYS)

    def _time_place(self) -> int | None:
        places = [at for at, key in enumerate(self.table.keys) if key in TIME_KEYS]
        return places[0] if places else None

    def _time_column(self, chunk: Chunk) -> pa.Array:
        if self._time_place() is None:
            return pa.array(np.zeros(len(chunk.time_ms), dtype=np.int64))
        return pa.array(time_key(chunk.time_ms, self._time_name(), self.table.time_zone))

    def _forget(self, shard: int, time: int) -> None:
        """Forget users and sessions that no later event can repeat in their group."""
        for known in self._seen.values():
            if self._shard != shard:
                known.clear()
            elif time != self._time:
                known.difference_update([row for row in known if row[0] < time])
        self._shard, self._time = shard, time

    def _add_to(
        self, sums: dict[Key, list[int]], table: pa.Table, keys: list[str], *, is_least: bool
    ) -> None:
        is_order = pc.equal(table["event_name"], "purchase")
        table = table.append_column("orders", is_order.cast(pa.int64())).append_column(
            "revenue", pc.if_else(is_order, pc.fill_null(table["value"], 0), 0)
        )
        grouped = table.group_by(keys).aggregate(
            [([], "count_all"), ("orders", "sum"), ("revenue", "sum")]
        )
        measures = list(self.table.measures)
        for row in grouped.to_pylist():
            known = self._group(sums, tuple(row[key] for key in keys))
            for place, measure in enumerate(measures):
                if measure in _SUMS:
                    known[place] += row[_SUMS[measure]]
        for place, measure in enumerate(measures):
            if measure not in _DISTINCT:
                continue
            seen = self._seen.setdefault((is_least, measure), set())
            columns = [*keys, _DISTINCT[measure]]
            for row in table.group_by(columns).aggregate([]).to_pylist():
                entry = tuple(row[name] for name in columns)
                if entry not in seen:
                    seen.add(entry)
                    self._group(sums, entry[:-1])[place] += 1

    def _group(self, sums: dict[Key, list[int]], parts: Key) -> list[int]:
        """Return the figures of a group, whose time comes first."""
        time, *others = parts
        texts = iter(others)
        key = tuple(time if name in TIME_KEYS else next(texts) for name in self.table.keys)
        return self._figures(sums, key)

    def _figures(self, sums: dict[Key, list[int]], key: Key) -> list[int]:
        if key not in sums:
            if len(sums) >= self.most:
                raise TooMuchToJudge(self.path, self.most)
            sums[key] = [0] * len(self.table.measures)
        return sums[key]
