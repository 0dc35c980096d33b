"""Faults: their choice, the faulty records, and their figures."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from clickstream_contract.ledger import FAULT_NAMES, FAULT_REASONS
from clickstream_contract.simulation import Faults
from clickstream_contract.topics import RejectReason
from clickstream_generator.core.encoding import Encoded
from clickstream_generator.core.faults import FaultSource, Planted, fault_rng, plant_faults
from clickstream_generator.core.shard_ledger import ShardLedger
from simulations import RUN_ID
from worlds import event_rows

START_MS = 1_764_000_000_000
COUNT = 2_000


def _event(number: int) -> bytes:
    return json.dumps(
        {
            "event_id": f"e{number}",
            "event_time": "2024-02-29T16:00:00.000Z",
            "schema_version": 1,
            "event_name": "search",
            "session_seq": 1,
            "user_id": "u1",
            "city": "Köln",
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


ROWS = event_rows(
    *(
        {"name": "search", "shard": number % 2, "shard_seq": number // 2 + 1,
         "event_time_ms": START_MS + 10 * number, "session_seq": 2}
        for number in range(COUNT)
    )
)  # fmt: skip
ENCODED = Encoded(
    [_event(number) for number in range(COUNT)], [b"key"] * COUNT, 1_000 + np.arange(COUNT)
)


def _part(start: int, stop: int) -> Encoded:
    return Encoded(
        ENCODED.values[start:stop], ENCODED.keys[start:stop], ENCODED.checksums[start:stop]
    )


def _sources(
    faults: Faults, seed: int = 42, shards: tuple[int, ...] = (0, 1)
) -> dict[int, FaultSource]:
    return {shard: FaultSource(fault_rng(seed, shard), faults) for shard in shards}


def _plant(seed: int = 42, **permille: int) -> Planted:
    faults = Faults.model_validate(permille)
    return plant_faults(ROWS, ENCODED, _sources(faults, seed))


def _figures(planted: Planted) -> dict[str, int]:
    """Return the figures of all records that are sent, by the ledger's names."""
    total: dict[str, int] = {}
    for (shard, minute), figures in planted.tally.items():
        ledger = ShardLedger(shard, 2)
        ledger.add(minute, figures)
        for name, value in ledger.records("n", RUN_ID, 0, 0)[0].items():
            if name.endswith("_faults") or name == "events":
                total[name] = total.get(name, 0) + value
    return {name: value for name, value in total.items() if value}


def _checksum(planted: Planted) -> int:
    """Return the sum of the records' checksums."""
    total = 0
    for (shard, minute), figures in planted.tally.items():
        ledger = ShardLedger(shard, 2)
        ledger.add(minute, figures)
        total += ledger.records("n", RUN_ID, 0, 0)[0]["content_checksum"]
    return total


def test_no_fault_changes_nothing() -> None:
    """Without faults the events go out as they are."""
    planted = _plant()

    assert planted.records == list(zip(ENCODED.values, ENCODED.keys, strict=True))
    assert _figures(planted) == {"events": COUNT}
    assert planted.sent_by_shard == {0: COUNT // 2, 1: COUNT // 2}
    assert planted.late == []
    assert _checksum(planted) == int(ENCODED.checksums.sum())


def test_lost_event_is_not_sent() -> None:
    """A lost event is counted as lost and has no record."""
    planted = _plant(lossPermille=1_000)

    assert planted.records == []
    assert planted.sent_by_shard == {}
    assert _figures(planted) == {"lost_faults": COUNT}


def test_late_event_is_held_back() -> None:
    """A late event is due by at most the lateness after its time, with its figures."""
    planted = _plant(latePermille=1_000, maxLatenessSeconds=60)

    assert planted.records == []
    assert _figures(planted) == {}
    assert [late.shard_seq for late in planted.late] == ROWS["shard_seq"].tolist()
    assert [late.shard for late in planted.late] == ROWS["shard"].tolist()
    delays = [
        late.due_seconds - moment / 1_000
        for late, moment in zip(planted.late, ROWS["event_time_ms"].tolist(), strict=True)
    ]
    assert 0 <= min(delays) < 1
    assert 59 < max(delays) <= 60
    one = planted.late[7]
    assert one.record == (ENCODED.values[7], b"key")
    alone = Planted([], one.tally, [], {})
    assert _figures(alone) == {"events": 1, "late_faults": 1}
    assert _checksum(alone) == 1_007


def _second_numbers(shard: int) -> np.ndarray:
    """Return the second of the three numbers that each of the shard's events draws."""
    return np.random.default_rng([2, shard, 42]).random((COUNT // 2, 3))[:, 1]


def test_duplicate_follows_its_event() -> None:
    """A duplicate comes after its event: half the same bytes, half with another city."""
    planted = _plant(duplicatePermille=1_000)

    firsts, seconds = planted.records[::2], planted.records[1::2]
    assert firsts == list(zip(ENCODED.values, ENCODED.keys, strict=True))
    exact = [a == b for a, b in zip(firsts, seconds, strict=True)]
    assert sum(exact) == pytest.approx(COUNT / 2, abs=120)
    # The lower half of the numbers repeats the bytes.
    assert exact[::2] == (_second_numbers(0) < 0.5).tolist()
    for first, second, same in zip(firsts, seconds, exact, strict=True):
        if not same:
            changed = {**json.loads(first[0] or b""), "city": "Old Köln"}
            assert json.loads(second[0] or b"") == changed
            assert second[1] == first[1]
    assert _figures(planted) == {
        "events": COUNT,
        "duplicate_exact_faults": sum(exact),
        "duplicate_conflicting_faults": COUNT - sum(exact),
    }
    assert planted.sent_by_shard == {0: COUNT, 1: COUNT}


def test_future_copy_is_years_ahead() -> None:
    """A future copy is dated eight years later, so that a leap day stays one."""
    planted = _plant(futurePermille=1_000)

    for first, second in zip(planted.records[::2], planted.records[1::2], strict=True):
        changed = {**json.loads(first[0] or b""), "event_time": "2032-02-29T16:00:00.000Z"}
        assert json.loads(second[0] or b"") == changed
    assert _figures(planted) == {"events": COUNT, "future_faults": COUNT}


def _corrupt() -> dict[str, list[bytes | None]]:
    """Return broken records by the reason for which the stream must reject them."""
    planted = _plant(corruptPermille=1_000)
    found: dict[str, list[bytes | None]] = {}
    for value, key in planted.records[1::2]:
        assert key == b"key"
        found.setdefault(_reason(value), []).append(value)
    return found


def _reason(value: bytes | None) -> str:  # noqa: PLR0911  one reason after the other
    """Return why a record is rejected, with the stream's rules."""
    if value is None:
        return "no_value"
    if len(value) > 65_536:
        return "oversized"
    try:
        event: dict[str, Any] = json.loads(value.decode())
    except UnicodeDecodeError:
        return "bad_encoding" if b"\xff" in value else "truncated"
    except ValueError:
        return "not_json" if value.startswith(b"<html>") else "truncated"
    if "\0" in event["city"]:
        return "nul"
    if not isinstance(event["session_seq"], int):
        return "wrong_type"
    if "user_id" not in event:
        return "missing_field"
    return "unknown_value" if event["event_name"] == "teleport" else "unknown_version"


def test_broken_copies_are_of_every_kind() -> None:
    """Each way to break a record comes about as often, and is counted by its name."""
    found = _corrupt()

    figures = _figures(_plant(corruptPermille=1_000))
    assert figures.pop("events") == COUNT
    assert figures == {f"corrupt_{name}_faults": len(rows) for name, rows in found.items()}
    assert len(found) == 10
    assert min(figures.values()) > 140


def test_places_of_broken_copies_are_known() -> None:
    """The places name the broken copies among all records, and no others."""
    planted = _plant(corruptPermille=200, lossPermille=200, duplicatePermille=200)
    originals = {*ENCODED.values}
    found = {
        place
        for place, (value, _) in enumerate(planted.records)
        if value not in originals and b'"city":"Old ' not in (value or b"")
    }

    assert planted.broken == found
    assert len(found) > 300
    assert _plant(lossPermille=200).broken == frozenset()


def test_broken_copies_are_broken_once() -> None:
    """A broken copy differs from its event in exactly what its name says."""
    found = _corrupt()
    event = json.loads(_event(0))

    def same(value: bytes | None, **changes: object) -> bool:
        read = json.loads(value or b"")
        return bool(read == {**event, "event_id": read["event_id"], **changes})

    assert all(same(row, session_seq="many") for row in found["wrong_type"])
    assert all(same(row, event_name="teleport") for row in found["unknown_value"])
    assert all(same(row, schema_version=99) for row in found["unknown_version"])
    assert all(same(row, city="\0Köln") for row in found["nul"])
    assert all(len(row or b"") > 65_536 and same(row, padding="x" * 65_536)
               for row in found["oversized"])  # fmt: skip
    assert all('"city":"' in (row or b"").decode(errors="replace") for row in found["bad_encoding"])
    for row in found["not_json"]:
        assert row is not None
        inner = row.removeprefix(b"<html>").removesuffix(b"</html>")
        assert b"{" + inner + b"}" in ENCODED.values
    assert all(len(row or b"") in {len(_event(n)) // 2 for n in (0, 10, 100, 1_000)}
               for row in found["truncated"])  # fmt: skip
    assert {json.loads(row or b"").keys() ^ event.keys() == {"user_id"}
            for row in found["missing_field"]} == {True}  # fmt: skip


def test_every_reason_is_planted() -> None:
    """The broken copies have all names that the ledger has for them."""
    names = {name for name in FAULT_NAMES if name.startswith("corrupt_")}

    assert {f"corrupt_{name}" for name in _corrupt()} == names
    assert FAULT_REASONS["corrupt_no_value"] is RejectReason.NO_VALUE


def test_shares_are_in_permille() -> None:
    """Each fault has its share, in an order in which none takes another's."""
    planted = _plant(
        lossPermille=100, latePermille=150, duplicatePermille=200, corruptPermille=50,
        futurePermille=250,
    )  # fmt: skip

    figures = _figures(planted)
    lost, late = figures["lost_faults"], len(planted.late)
    copies = sum(value for name, value in figures.items() if name.startswith("corrupt_"))
    twice = figures["duplicate_exact_faults"] + figures["duplicate_conflicting_faults"]
    for found, permille in (
        (lost, 100), (late, 150), (twice, 200), (copies, 50), (figures["future_faults"], 250),
    ):  # fmt: skip
        assert found == pytest.approx(COUNT * permille / 1_000, abs=0.04 * COUNT / 2)
    assert figures["events"] == COUNT - lost - late
    assert len(planted.records) == COUNT - lost - late + twice + copies + figures["future_faults"]
    assert sum(planted.sent_by_shard.values()) == len(planted.records)
    sent = {value for value, _ in planted.records}
    kept = [value in sent for value in ENCODED.values]
    assert _checksum(planted) == int(ENCODED.checksums[kept].sum())


def test_chunk_may_send_nothing() -> None:
    """When each event of a chunk is lost, there is no record and no error."""
    faults = Faults.model_validate({"lossPermille": 1_000})

    planted = plant_faults(ROWS[:3], _part(0, 3), _sources(faults))

    assert planted.records == []
    assert sum(int(figures.sum()) for figures in planted.tally.values()) == 3


def test_incident_loses_its_events() -> None:
    """An event that an incident loses is lost, whatever its fault; others keep their faults."""
    shares = {
        "lossPermille": 100,
        "latePermille": 100,
        "corruptPermille": 100,
        "futurePermille": 50,
    }
    sources = [_sources(Faults.model_validate(shares)) for _ in range(2)]
    rows = ROWS.copy()
    is_lost = np.arange(COUNT) % 3 == 0
    rows["faults"][is_lost, 0] = 1_000

    before = plant_faults(ROWS, ENCODED, sources[0])
    planted = plant_faults(rows, ENCODED, sources[1])

    sent = [value for value, _ in planted.records]
    gone = {ENCODED.values[place] for place in np.flatnonzero(is_lost)}
    assert not gone & set(sent)
    assert set(sent) <= {value for value, _ in before.records}
    late = [row.record for row in before.late if row.record[0] not in gone]
    assert [row.record for row in planted.late] == late
    figures = _figures(planted)
    assert figures["events"] + figures["lost_faults"] + len(planted.late) == COUNT
    assert figures["lost_faults"] > len(gone)
    assert [_state(row) for row in sources[0].values()] == [
        _state(row) for row in sources[1].values()
    ]


def test_incident_loses_without_faults() -> None:
    """In a simulation without faults, the lost events are counted and draw no number."""
    rows, sources = ROWS.copy(), _sources(Faults())
    rows["faults"][:5, 0] = 1_000

    planted = plant_faults(rows, ENCODED, sources)

    assert [value for value, _ in planted.records] == ENCODED.values[5:]
    assert _figures(planted) == {"events": COUNT - 5, "lost_faults": 5}
    assert _checksum(planted) == int(ENCODED.checksums[5:].sum())
    assert _state(sources[0]) == _state(_sources(Faults())[0])


def _own_faults(every: int) -> np.ndarray:
    """Return the events; every so many-th has further faults."""
    rows = ROWS.copy()
    rows["faults"][::every] = (300, 200, 100)
    return rows


@pytest.mark.parametrize("shares", [{}, {"lossPermille": 100, "futurePermille": 100}], ids=str)
def test_overlays_add_faults(shares: dict[str, int]) -> None:
    """Events with further shares have these besides the others, and the rest as before."""
    faults = Faults.model_validate(shares)
    sources = {shard: row._replace(has_own=True) for shard, row in _sources(faults).items()}

    planted = plant_faults(_own_faults(4), ENCODED, sources)

    figures, before = _figures(planted), _figures(_plant(**shares))
    twice = figures["duplicate_exact_faults"] + figures["duplicate_conflicting_faults"]
    for found, permille in (
        (figures["lost_faults"] - before.get("lost_faults", 0), 75),
        (len(planted.late), 50),
        (twice, 25),
    ):
        assert found == pytest.approx(COUNT * permille / 1_000, abs=0.02 * COUNT)
    assert {(row.shard, row.shard_seq % 2) for row in planted.late} == {(0, 1)}


def test_own_faults_need_no_chunk() -> None:
    """The faults of overlays are the same whatever events are made together."""
    rows = _own_faults(5)
    parts = []
    for bounds in ((0, COUNT), (0, 3, 700, COUNT)):
        sources = {shard: row._replace(has_own=True) for shard, row in _sources(Faults()).items()}
        chunks = [
            plant_faults(rows[start:end], _part(start, end), sources)
            for start, end in pairwise(bounds)
        ]
        parts.append([record for chunk in chunks for record in chunk.records])

    assert parts[0] == parts[1]


def _state(source: FaultSource) -> object:
    return source.rng.bit_generator.state


def test_shard_has_its_own_faults() -> None:
    """Shards have shares of their own, and one without draws no number."""
    some = Faults.model_validate({"lossPermille": 1_000})
    sources = _sources(Faults(), shards=(0,)) | _sources(some, shards=(1,))

    planted = plant_faults(ROWS, ENCODED, sources)

    assert planted.sent_by_shard == {0: COUNT // 2}
    assert _state(sources[0]) == _state(_sources(some)[0])
    assert _state(sources[1]) != _state(_sources(some)[1])


def test_faults_do_not_depend_on_company() -> None:
    """A shard's faults are the same whichever others are carried, and differ by seed and shard."""
    faults = Faults.model_validate({"lossPermille": 500})

    def lost(shard: int, seed: int = 42, shards: tuple[int, ...] = (0, 1)) -> list[int]:
        own = ROWS[ROWS["shard"] == shard]
        part = Encoded(
            [b"%d" % seq for seq in own["shard_seq"]], [b"k"] * len(own), own["shard_seq"]
        )
        planted = plant_faults(own, part, _sources(faults, seed, shards))
        return [int(value or b"") for value, _ in planted.records]

    alone = lost(0, shards=(0,))
    assert lost(0) == alone
    assert lost(0, seed=43) != alone
    assert lost(1) != alone
