"""What the content of events adds to the ledger: the canonical text's checksum, and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid5

import google_crc32c
import numpy as np
import pytest
from clickstream_contract.canonical import (
    CHECKSUM_DIVIDEND,
    CHECKSUM_OFFSET,
    canonical_text,
    sent_at_ending,
)
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.content import content_checksums
from clickstream_generator.core.faults import plant_faults
from clickstream_generator.core.shard_ledger import ShardLedger, Tally
from simulations import RUN_ID, START_SECONDS, carried, simulator

if TYPE_CHECKING:
    from clickstream_generator.core.encoding import Encoded
    from clickstream_generator.core.events import Events
    from clickstream_generator.core.simulator import Simulator

_ENDING = sent_at_ending("2025-11-24T16:00:00.123Z").encode()
_SENT_MS = 1_764_000_000_123
RATE = "{eventsPerSecond: 200}"


@pytest.fixture(scope="module")
def made() -> tuple[Simulator, Events]:
    """Return a simulator and a minute of its events."""
    source = simulator(RATE)
    return source, source.take_due(START_SECONDS + 60, 10**9)


@pytest.fixture(scope="module")
def encoded(made: tuple[Simulator, Events]) -> Encoded:
    """Return the events as JSON."""
    source, part = made
    return source.encoder.encode(part, _SENT_MS)


def _crc(text: str) -> int:
    return int(google_crc32c.value(text.encode()))


def _defined(text: str) -> int:
    return CHECKSUM_DIVIDEND % (CHECKSUM_OFFSET + _crc(text))


def _checksum(tally: Tally) -> int:
    ledger = ShardLedger(0, 4)
    for (_, minute), figures in tally.items():
        ledger.add(minute, figures)
    return sum(row["content_checksum"] for row in ledger.records("n", RUN_ID, 0, 0))


def test_crc_is_castagnolis() -> None:
    """The CRC is the one that PostgreSQL calls ``crc32c``, by its published check value."""
    assert google_crc32c.value(b"123456789") == 0xE306_9283


def test_record_is_its_canonical_text(encoded: Encoded) -> None:
    """Each record, whatever its name, is the canonical text but for its ``sent_at``."""
    names = set()
    for value, checksum in zip(encoded.values, encoded.checksums.tolist(), strict=True):
        event = json.loads(value)
        text = canonical_text(event)
        names.add(event["event_name"])
        assert value == text.removesuffix(sent_at_ending()).encode() + _ENDING
        assert checksum == _defined(text)

    assert names == set(EVENT_NAMES)


def test_sent_at_does_not_count(made: tuple[Simulator, Events], encoded: Encoded) -> None:
    """An event that is sent again later has the same checksum."""
    source, part = made
    later = source.encoder.encode(part, _SENT_MS + 98_765_432)

    assert encoded.values != later.values
    assert np.array_equal(encoded.checksums, later.checksums)


def test_stamped_event_keeps_its_checksum(made: tuple[Simulator, Events], encoded: Encoded) -> None:
    """An event that was held back is sent with another ``sent_at`` and the same content."""
    source, part = made
    first = source.encoder.encode(part.part(0, 200), 0)

    stamped = [source.encoder.stamped(value, _SENT_MS) for value in first.values]

    assert all(value.endswith(_ENDING) for value in stamped)
    assert np.array_equal(content_checksums(stamped, _ENDING), first.checksums)
    assert np.array_equal(first.checksums, encoded.checksums[:200])


def test_swapped_values_do_not_cancel() -> None:
    """Two events with swapped values change the checksum, even if the sum of CRCs is equal."""
    texts = [
        {city: f'{{"event_id":"{uuid}","city":"{city}"}}' for city in "ab"}
        for uuid in (uuid5(RUN_ID, str(number)) for number in range(5_000))
    ]
    change = [_crc(text["b"]) - _crc(text["a"]) for text in texts]
    # Pairs of events, the first with city a, whose CRCs' sum stays when their cities change places.
    place = {number: at for at, number in enumerate(change)}
    pairs = [(at, place[number]) for at, number in enumerate(change) if number in place]
    pairs = [(one, other) for one, other in pairs if one != other]

    as_sent = [_defined(texts[one]["a"]) + _defined(texts[other]["b"]) for one, other in pairs]
    swapped = [_defined(texts[one]["b"]) + _defined(texts[other]["a"]) for one, other in pairs]

    assert pairs
    assert all(sent != stored for sent, stored in zip(as_sent, swapped, strict=True))


@pytest.mark.parametrize(
    "faults",
    ["duplicatePermille: 300", "corruptPermille: 300", "futurePermille: 300"],
)
def test_planted_records_do_not_count(
    faults: str, made: tuple[Simulator, Events], encoded: Encoded
) -> None:
    """Copies and broken records are no events: the sum is that of the events."""
    _, part = made
    _, shards = carried(RATE, f"  faults: {{{faults}}}\n")
    sources = {number: row.fault_source() for number, row in shards.items()}

    planted = plant_faults(part.rows, encoded, sources)

    assert len(planted.records) > len(part)
    assert _checksum(planted.tally) == encoded.checksums.sum()


def test_lost_late_events_count_when_sent(made: tuple[Simulator, Events], encoded: Encoded) -> None:
    """A lost event never counts, a late one with its figures."""
    faults = "lossPermille: 200, latePermille: 200, maxLatenessSeconds: 60"
    _, part = made
    _, shards = carried(RATE, f"  faults: {{{faults}}}\n")
    sources = {number: row.fault_source() for number, row in shards.items()}

    planted = plant_faults(part.rows, encoded, sources)

    by_value = dict(zip(encoded.values, encoded.checksums.tolist(), strict=True))
    assert planted.late
    assert _checksum(planted.tally) == sum(by_value[value or b""] for value, _ in planted.records)
    for late in planted.late:
        assert _checksum(late.tally) == by_value[late.record[0] or b""]
