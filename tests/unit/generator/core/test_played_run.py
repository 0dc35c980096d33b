"""A run that is played for its counts: the events and the users of the real run."""

from __future__ import annotations

import json

import numpy as np
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.events import CODE
from clickstream_generator.core.played_run import PlayedRun, play
from clickstream_generator.core.simulator import Simulator
from simulations import RUN_ID, START_SECONDS, simulation

RATE = "{eventsPerSecond: 100}"
END = "  stopAfter: {events: 20000}\n"
MORE = END + "  experiments: [{name: button, arms: [{name: control}, {name: green}]}]\n"


@pytest.fixture(scope="module")
def run() -> PlayedRun:
    """A run of four shards with an experiment."""
    return play(simulation(RATE, MORE), START_SECONDS)


def test_sessions_are_those_of_records(run: PlayedRun) -> None:
    """Each session has the attributes, the arm and the purchases that its records have."""
    source = Simulator(simulation(RATE, MORE), (0, 1, 2, 3), RUN_ID)
    source.begin(START_SECONDS)
    records = []
    for seconds in range(20, 221, 20):
        events = source.take_due(START_SECONDS + seconds, 10**9)
        records += [json.loads(value) for value in source.encoder.encode(events, 0).values]
    by_session: dict[str, list[dict[str, str]]] = {}
    for row in sorted(records, key=lambda row: (row["session_id"], row["session_seq"])):
        by_session.setdefault(row["session_id"], []).append(row)
    names = ("device", "os", "browser", "country", "channel", "persona")

    wanted = sorted(
        (*(rows[0][name] for name in names), rows[0]["experiments"].partition("=")[2],
         any(row["event_name"] == "purchase" for row in rows))
        for rows in by_session.values()
    )  # fmt: skip
    columns = [run.session_values(name).tolist() for name in names]
    columns += [run.session_arms("button").tolist(), run.sessions_with("purchase").tolist()]

    assert sorted(zip(*columns, strict=True)) == wanted
    assert len(run.rows) == len(records) == 20_000
    assert len(set(run.users.tolist())) == len({row["user_id"] for row in records})


def test_first_sessions_and_hours_are_known(run: PlayedRun) -> None:
    """A user's first session is the first; the hour is that of the user's country."""
    kinds = run.session_values("session")
    users = run.users[run.session_starts]

    assert np.count_nonzero(kinds == "first") == len(np.unique(users))
    utc = int(START_SECONDS // 3_600 % 24)
    american = run.session_values("hour")[run.session_values("country") == "US"]
    assert {(utc - int(hour)) % 24 for hour in american} <= set(range(4, 9))


def test_purchases_have_their_session(run: PlayedRun) -> None:
    """As many sessions have a purchase as there are different sessions of purchases."""
    bought = run.rows[run.rows["code"] == CODE["purchase"]]
    sessions = {(row["shard"], row["session_no"]) for row in bought}

    assert np.count_nonzero(run.sessions_with("purchase")) == len(sessions) > 0


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("", "spec.stopAfter"),
        ("  stopAfter: {events: 3000001}\n", "spec.stopAfter"),
        (f"{END}  faults: {{lossPermille: 1}}\n", "spec.faults.lossPermille"),
        (
            f"{END}  incidents: [{{name: one, kind: TrackingLost, at: 1s, for: 1m}}]\n",
            "spec.incidents",
        ),
        (
            f"{END}  effects: {{overlays: [{{name: one, faults: {{lossPermille: 1}}}}]}}\n",
            "spec.effects.overlays",
        ),
    ],
)
def test_uncountable_run_is_refused(more: str, path: str) -> None:
    """A run without an end, one that is too long and one that loses events have no exercise."""
    with pytest.raises(SimulationInvalid) as caught:
        play(simulation(more=more, users=4_000), START_SECONDS)

    assert caught.value.path == path
