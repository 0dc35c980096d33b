"""The results of experiments: a view over sessions equals the formula over users."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
from clickstream_contract.topics import LEDGER
from clickstream_generator.core.record_entries import RecordEntries
from clickstream_streaming.core.sample import sample_event
from clickstream_streaming.shell.rebuild import rebuild
from lifts import estimate
from run_records import run_record
from simulations import START_SECONDS

if TYPE_CHECKING:
    from databases import Database

pytestmark = pytest.mark.services

_SESSIONS = (
    ("control", "a", 0), ("control", "a", 1), ("control", "b", 0), ("control", "c", 2),
    ("control", "d", 0), ("green", "e", 1), ("green", "e", 1), ("green", "f", 0), ("green", "g", 1),
    ("red", "h", 0), ("red", "i", 0),
)  # fmt: skip
"""Arm, user and orders of each session."""
_RESULTS = """
SELECT json_agg(json_build_array(arm, users, sessions, converted_users, converted_sessions, orders,
    revenue_minor, conversion, lift, lift_low, lift_high) ORDER BY arm)::text
FROM mart.experiment_results WHERE experiment = 'button' AND run_id = '{run}'
"""
_RUN = str(UUID(int=7))


def _event(number: int, name: str, session: int, values: dict[str, Any]) -> bytes:
    event = sample_event(name) | {
        "event_id": str(UUID(int=1_000 + number)),
        "session_id": str(UUID(int=100 + session)),
        "run_id": _RUN,
        "shard_seq": number,
        "user_id": _SESSIONS[session][1],
    }
    return json.dumps({**event, **values}).encode()


def _records() -> list[bytes]:
    """Return the events of the sessions: a start, and a purchase of 10 for each order."""
    found: list[bytes] = []
    for session, (arm, _, orders) in enumerate(_SESSIONS):
        other = f"shipping={'free' if session % 2 else 'control'}"
        arms = {"experiments": f"button={arm},{other}", "session_seq": 1}
        found.append(_event(len(found) + 1, "session_start", session, arms))
        for order in range(orders):
            bought = {
                "order_id": str(UUID(int=5_000 + len(found))),
                "value_minor": 10,
                "session_seq": 2 + order,
            }
            found.append(_event(len(found) + 1, "purchase", session, bought))
    outside = {"session_id": str(UUID(int=99)), "experiments": None, "user_id": "z"}
    return [*found, _event(len(found) + 1, "session_start", 0, outside)]


def _results(database: Database) -> dict[str, list[Any]]:
    rows = json.loads(database.ask(_RESULTS.format(run=_RUN))[0])
    return {row[0]: row[1:] for row in rows}


def test_results_are_those_by_hand(database: Database) -> None:
    """Each arm has its users, sessions, orders, revenue and lift; a rebuild changes nothing."""
    assert database.write(_records())["rejects"] == {}

    found = _results(database)

    assert found["control"] == [4, 5, 2, 2, 3, 30, 0.4, None, None, None]
    assert found["green"][:7] == [3, 4, 2, 3, 3, 30, 0.75]
    control_arm, green_arm = (
        [row for row in _SESSIONS if row[0] == arm] for arm in ("control", "green")
    )
    wanted = estimate(
        (np.array([row[1] for row in control_arm]), np.array([row[1] for row in green_arm])),
        (
            np.array([row[2] > 0 for row in control_arm]),
            np.array([row[2] > 0 for row in green_arm]),
        ),
    )
    assert found["green"][7:] == pytest.approx([wanted.lift, wanted.low, wanted.high], abs=1e-6)
    assert wanted.lift == pytest.approx(0.75 / 0.4 - 1)
    # Users of the control: 2 sessions with 1 order, 1 with 0, 1 with 1, 1 with 0.
    control = 4 / 3 * ((1 - 0.8) ** 2 + 0.4**2 + 0.6**2 + 0.4**2) / 2**2
    green = 3 / 2 * ((2 - 1.5) ** 2 + 0.75**2 + 0.25**2) / 3**2
    factor = np.exp(1.959964 * np.sqrt(control + green))
    assert wanted.high == pytest.approx(0.75 / 0.4 * factor - 1)
    assert not any(rebuild(database.owner).values())
    assert _results(database) == found


def _truths(*figures: tuple[int, str, float]) -> list[bytes]:
    """Return ledger records with the true conversion of arms since a second of the run."""
    entries = RecordEntries(replace(run_record()[0], run_id=UUID(_RUN)))
    rows = [
        {
            "experiment": "button",
            "arm": arm,
            "from_seconds": START_SECONDS + second,
            "share": 0.5,
            "conversion": conversion,
            "lift": None,
        }
        for second, arm, conversion in figures
    ]
    entry = [entries.of_truth("experiments", row) for row in rows]
    return [json.dumps(row | {"simulation": _simulation()}).encode() for row in entry]


def _simulation() -> str:
    return str(sample_event("purchase")["simulation"])


def test_truth_lies_beside_the_estimate(database: Database) -> None:
    """``ops.experiment_lifts`` has both; the truth of each session is that at its start."""
    began = datetime.fromisoformat(sample_event("session_start")["event_time"]).timestamp()
    before = int(began - START_SECONDS) - 3_600
    database.write(_records())
    found = (
        "SELECT json_object_agg(arm, json_build_array(sessions, lift, true_conversion,"
        " true_lift))::text FROM ops.experiment_lifts WHERE experiment = 'button'"
    )
    lacking = json.loads(database.ask(found)[0])
    early = [
        (before - 3_600, "green", 0.9),
        (before, "control", 0.4),
        (before, "green", 0.6),
        (before + 7_200, "green", 0.1),
    ]
    database.write(_truths(*early, *early), LEDGER.name)

    beside = json.loads(database.ask(found)[0])

    assert lacking["green"] == [4, 0.875, None, None]
    assert beside["control"] == [5, None, 0.4, None]
    assert beside["green"] == [4, 0.875, 0.6, pytest.approx(0.5)]
    assert beside["red"] == [2, -1, None, None]


def test_arm_without_orders_has_no_interval(database: Database) -> None:
    """An arm that sold nothing has a lift of -1, and no interval."""
    database.write(_records())

    assert _results(database)["red"] == [2, 2, 0, 0, 0, 0, 0, -1, None, None]


def test_arm_named_twice_counts_once(database: Database) -> None:
    """A foreign record may name an arm twice, or none in a quote: the sums stay right."""
    odd = {"session_id": str(UUID(int=98)), "user_id": "y", "session_seq": 1}
    texts = ("button=red,button=red", "it's \"1\" -- ' OR ,=,")
    records = [
        _event(number, "session_start", 0, {**odd, "session_id": str(UUID(int=number)),
                                            "experiments": text})
        for number, text in enumerate(texts, start=1)
    ]  # fmt: skip
    assert database.write(records)["rejects"] == {}

    assert _results(database) == {"red": [1, 1, 0, 0, 0, 0, 0, None, None, None]}
