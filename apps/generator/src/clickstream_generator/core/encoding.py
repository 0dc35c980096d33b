"""Encoding of event columns as JSON records, many events at a time.

Owns the JSON of an event: its canonical text, with ``sent_at`` added. Parts of fixed length (ids,
times) are written into a matrix of bytes. Arrow joins the rest from prepared fragments. There is no
loop over single events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from clickstream_contract.canonical import sent_at_ending
from clickstream_contract.events import EVENT_NAMES, SCHEMA_VERSION
from clickstream_contract.identifiers import run_prefix

from clickstream_generator.core.byte_columns import column, join, listed, scalar, texts
from clickstream_generator.core.content import content_checksums
from clickstream_generator.core.events import CODE, by_name
from clickstream_generator.core.fragments import build_fragments, members
from clickstream_generator.core.identifiers import TAIL_BYTES, write_tails
from clickstream_generator.core.world import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from clickstream_generator.core.events import Events
    from clickstream_generator.core.population import Population
    from clickstream_generator.core.world import World

__all__ = ["Encoded", "Encoder"]

_TIME_FORM = b"0000-00-00T00:00:00.000Z"
_DAY_MS = 86_400_000
_USUAL_STEPS = 256
"""Step numbers below this are looked up in a table; longer sessions are rare."""
_CLOCKS = np.ascontiguousarray(
    np.arange(86_400).astype("datetime64[s]").astype("S19").view(np.uint8).reshape(-1, 19)[:, 11:]
)
"""``HH:MM:SS`` by the second of the day."""
_MILLISECONDS = np.frombuffer(
    b"".join(b"%03d" % number for number in range(1000)), dtype=np.uint8
).reshape(1000, 3)


@dataclass(frozen=True)
class Encoded:
    """Records ready for Kafka, in the order of the events.

    Attributes:
        values: JSON, UTF-8.
        keys: The user ids.
        checksums: Each event's part of its minute's ``content_checksum``.
    """

    values: list[bytes]
    keys: list[bytes]
    checksums: np.ndarray


class Encoder:
    """The encoder of one run's events.

    Args:
        world: The world of the run.
        populations: The users of each shard, by its number.
        simulation: The simulation's full name.
        run_id: The run.
        shards: Number of shards; it makes user numbers unique.

    Attributes:
        fragments: The JSON of everything that is known before the run.
        populations, shards: As given.
        id_prefix: The first characters of the run's ids.
        openings: The members before ``shard_seq``, at ``first_opening[shard] + event code``.
    """

    def __init__(
        self,
        world: World,
        populations: dict[int, Population],
        simulation: str,
        run_id: UUID,
        shards: int,
    ) -> None:
        self.fragments = build_fragments(world)
        self.populations = populations
        self.shards = shards
        self.id_prefix = prefix = run_prefix(run_id).encode()
        parts = {
            "event": b'{"event_id":"' + prefix + b"0" * TAIL_BYTES,
            "session": b'","session_id":"' + prefix + b"0" * TAIL_BYTES,
            "time": b'","event_time":"' + _TIME_FORM,
        }
        self._form = np.frombuffer(b"".join(parts.values()) + b'",', dtype=np.uint8)
        ends = np.cumsum([len(part) for part in parts.values()])
        self._event_end, self._session_end, self._time_end = ends.tolist()
        constant = members(schema_version=SCHEMA_VERSION, simulation=simulation, run_id=str(run_id))
        self.openings = texts(
            f'{constant},"event_name":"{name}","shard":{number},"shard_seq":'
            for number in populations
            for name in EVENT_NAMES
        )
        self.first_opening = np.zeros(max(populations) + 1, dtype=np.int64)
        self.first_opening[list(populations)] = len(EVENT_NAMES) * np.arange(len(populations))
        self._steps = _steps(np.arange(_USUAL_STEPS))
        pools = self.fragments
        self._persona_channels = join('",', pools.persona_channels, ",")
        self._cities = join(pools.cities, ",")
        self._technologies = join(pools.technologies, ",")
        self._currency = f",{pools.currency}"

    def encode(self, events: Events, sent_at_ms: int) -> Encoded:
        """Return events as records, in the same order.

        Args:
            events: The events.
            sent_at_ms: The ``sent_at`` of every record, Unix milliseconds.
        """
        rows = events.rows
        if not len(rows):
            return Encoded([], [], np.empty(0, dtype=np.int64))
        head = self._head(rows)
        ending = _ending(sent_at_ms)
        users = self._users(rows)
        values = (
            join(_fixed(head), *self._identity(rows, users), self._details(events), ending)
            .cast(pa.binary())
            .to_pylist()
        )
        keys = join("u", users).cast(pa.binary()).to_pylist()
        return Encoded(values, keys, content_checksums(values, ending.encode()))

    def stamped(self, value: bytes, sent_at_ms: int) -> bytes:
        """Return an encoded event with another ``sent_at``."""
        ending = _ending(sent_at_ms).encode()
        return value[: -len(ending)] + ending

    def _head(self, rows: np.ndarray) -> np.ndarray:
        """Return the fixed-length first part of each event, as a matrix of bytes."""
        head = np.tile(self._form, (len(rows), 1))
        shard = rows["shard"].astype(np.int64)
        write_tails(
            head[:, self._event_end - TAIL_BYTES : self._event_end], shard, rows["shard_seq"]
        )
        write_tails(
            head[:, self._session_end - TAIL_BYTES : self._session_end], shard, rows["session_no"]
        )
        _write_times(
            head[:, self._time_end - len(_TIME_FORM) : self._time_end], rows["event_time_ms"]
        )
        return head

    def _users(self, rows: np.ndarray) -> pa.Array:
        """Return the number in each event's ``user_id`` as text."""
        return _text(rows["user"].astype(np.int64) * self.shards + rows["shard"])

    def _identity(self, rows: np.ndarray, users: pa.Array) -> list[pa.Array | str]:
        """Return the parts with the event's name, its numbers and its user."""
        city, technology, channel = self.traits(rows)
        persona_channel = rows["persona"].astype(np.int32) * len(CHANNELS) + channel
        step = rows["session_seq"]
        usual = step.max() < _USUAL_STEPS
        return [
            self.openings.take(column(self.first_opening[rows["shard"]] + rows["code"])),
            _text(rows["shard_seq"]),
            self._steps.take(column(step)) if usual else _steps(step),
            users,
            self._persona_channels.take(column(persona_channel)),
            self._cities.take(column(city)),
            self._technologies.take(column(technology)),
        ]

    def traits(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return city, technology and channel of each event's user."""
        city = np.empty(len(rows), dtype=np.int32)
        technology = np.empty(len(rows), dtype=np.int32)
        channel = np.empty(len(rows), dtype=np.int32)
        for shard in np.unique(rows["shard"]).tolist():
            at = np.flatnonzero(rows["shard"] == shard)
            people = self.populations[shard]
            user = rows["user"][at]
            city[at] = people.city[user]
            technology[at] = people.technology[user]
            channel[at] = people.channel[user]
        return city, technology, channel

    def _details(self, events: Events) -> pa.Array:
        """Return the part before ``sent_at``, which depends on the event's name."""
        return by_name(events.rows, lambda name, rows: self._details_of(name, rows, events))

    def _details_of(self, name: str, rows: np.ndarray, events: Events) -> pa.Array:
        """Return the part before ``sent_at`` of events that all have the same name."""
        pools = self.fragments
        subject = column(rows["subject"])
        choice = column(rows["choice"])
        if name == "session_start":
            technology = self.traits(rows)[1]
            agent = pools.user_agents.take(column(technology))
            return join(
                pools.arrivals.take(choice), ",", agent, ',"session_number":',
                _text(rows["session_number"]), pools.exposures.take(subject),
            )  # fmt: skip
        if name in {"page_view", "search", "view_item_list", "view_item"}:
            pool, number = {
                "page_view": (pools.pages, choice),
                "search": (pools.terms, subject),
                "view_item_list": (pools.categories, subject),
                "view_item": (pools.viewed_products, subject),
            }[name]
            return pool.take(number)
        if name in {"add_to_cart", "remove_from_cart"}:
            return join(
                pools.products.take(subject), ',"quantity":', _text(rows["quantity"]),
                *_cart(rows), self._currency,
            )  # fmt: skip
        page = pools.cart_pages[CODE[name]].as_py()
        extra: Sequence[pa.Array | str] = ()
        if name == "add_shipping_info":
            extra = (",", pools.shipping.take(choice))
        elif name == "add_payment_info":
            extra = (",", pools.payments.take(choice))
        elif name == "purchase":
            extra = (',"order_id":"', self._order_ids(rows), '"')
        return join(page, *extra, self._items(rows, events), *_cart(rows), self._currency)

    def _order_ids(self, rows: np.ndarray) -> pa.Array:
        """Return the orders' ids: the event ids of the purchases."""
        start = len(b'{"event_id":"')
        return _fixed(np.ascontiguousarray(self._head(rows)[:, start : self._event_end]))

    def _items(self, rows: np.ndarray, events: Events) -> pa.Array:
        """Return the lines of orders and carts as ``jsonb`` prints them; empty without lines."""
        counts, products, quantities = events.lines(rows)
        product = column(products)
        lines = join(
            self.fragments.lines_before.take(product),
            _text(quantities),
            self.fragments.lines_after.take(product),
        )
        joined = pc.binary_join(listed(lines, counts), scalar(", "))
        has_lines = column(rows["order_row"] >= 0)
        return pc.if_else(has_lines, join(',"items":[', joined, "]"), scalar(""))


def _ending(sent_at_ms: int) -> str:
    """Return the end of a record: its ``sent_at``."""
    return sent_at_ending(f"{np.datetime64(sent_at_ms, 'ms')}Z")


def _steps(numbers: np.ndarray) -> pa.Array:
    """Return ``session_seq`` as JSON, and the beginning of ``user_id``."""
    return join(',"session_seq":', _text(numbers), ',"user_id":"u')


def _text(numbers: np.ndarray) -> pa.Array:
    """Return whole numbers as text."""
    return column(numbers).cast(pa.string())


def _cart(rows: np.ndarray) -> list[pa.Array | str]:
    """Return the cart's quantity and the event's value."""
    return [
        ',"cart_quantity":',
        _text(rows["cart_quantity"]),
        ',"value_minor":',
        _text(rows["value_minor"]),
    ]


def _fixed(matrix: np.ndarray) -> pa.Array:
    """Return the rows of a matrix of ASCII bytes as texts, without a copy."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(matrix))


def _write_times(target: np.ndarray, unix_ms: np.ndarray) -> None:
    """Write moments as ``YYYY-MM-DDTHH:MM:SS.mmmZ`` into rows of 24 bytes."""
    day, rest = np.divmod(unix_ms, _DAY_MS)
    days, where = np.unique(day, return_inverse=True)
    text = days.astype("datetime64[D]").astype("S10").view(np.uint8).reshape(-1, 10)
    target[:, :10] = text.take(where, axis=0)
    seconds, milliseconds = np.divmod(rest, 1000)
    target[:, 11:19] = _CLOCKS.take(seconds, axis=0)
    target[:, 20:23] = _MILLISECONDS.take(milliseconds, axis=0)
