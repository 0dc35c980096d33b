"""The operator's calls: what workers and an API server answer, and what is made of it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_operator.core.kinds import POD, SIMULATION
from clickstream_operator.core.observed import Pod
from clickstream_operator.core.pod import METRICS_PORT
from clickstream_operator.core.seen import Seen
from clickstream_operator.errors import ApiRefused, NameTaken
from clickstream_operator.shell.reconciler import Reconciler
from clickstream_operator.shell.scraper import Scraper
from clickstream_operator.shell.telemetry import Telemetry
from clusters import NOW, SETTINGS, resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from clickstream_operator.core.observed import Scrape

_ADDRESS = "127.0.0.7"
_NAMES = (
    "target_events_per_second", "achieved_events_per_second", "queue_messages",
    "event_lag_seconds", "busy_seconds_total", "delivered_records", "shards_over",
)  # fmt: skip
_METRICS = "".join(f"clickstream_generator_{name} 5\n" for name in _NAMES).encode()


@asynccontextmanager
async def _worker(pieces: list[bytes]) -> AsyncIterator[None]:
    """Answer whoever asks for metrics, piece by piece."""
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)  # so that they arrive one by one
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        answered.set()

    async with await asyncio.start_server(answer, _ADDRESS, METRICS_PORT):
        yield
        await answered.wait()


async def _asked(pieces: list[bytes]) -> dict[str, Scrape]:
    async with _worker(pieces), Scraper() as scraper:
        return await scraper.ask([Pod("w", 0, frozenset({0}), _ADDRESS)])


def test_figures_that_come_in_pieces_are_read_whole() -> None:
    """A network cuts where it likes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(_METRICS)}\r\n\r\n".encode()
    pieces = [head, *(_METRICS[at : at + 40] for at in range(0, len(_METRICS), 40))]

    assert asyncio.run(_asked(pieces))["w"].target == 5


def test_a_worker_cannot_send_the_operator_elsewhere() -> None:
    """Anybody who may make a pod may answer for a worker."""
    where = f"http://{_ADDRESS}:{METRICS_PORT}/elsewhere"
    moved = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: {len(_METRICS)}\r\n\r\n"

    assert asyncio.run(_asked([moved.encode() + _METRICS])) == {}


class _Api:
    """An API server that refuses Services.

    Attributes:
        taken: Metadata of what has a child's name already, by kind.
    """

    def __init__(self, taken: dict[str, dict[str, Any]]) -> None:
        self.taken = taken
        self.applied: list[str] = []
        self.statuses: list[dict[str, Any]] = []
        self.asked = 0

    def find(self, kind: str, _namespace: str, _name: str) -> dict[str, Any] | None:
        """Return what has that name."""
        return self.taken.get(kind)

    def has_kind(self, _kind: object) -> bool:
        """Take its time, so that others ask meanwhile."""
        self.asked += 1
        time.sleep(0.05)
        return True

    def write_status(self, metadata: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
        """Take it."""
        self.statuses.append(status)
        return {**resource(), "metadata": dict(metadata), "status": status}

    def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Take what is no Service."""
        if wanted["kind"] == "Service":
            raise ApiRefused("PATCH", "service", 422, "no such name")
        self.applied.append(wanted["kind"])
        metadata = {**wanted["metadata"], "uid": wanted["kind"], "resourceVersion": "2"}
        return {**wanted, "metadata": metadata}

    def post_event(self, _event: object) -> None:
        """Take it."""


def _looked(
    simulations: int,
    taken: dict[str, dict[str, Any]] | None = None,
    pods: tuple[dict[str, Any], ...] = (),
) -> tuple[_Api, list[object]]:
    """Look at so many new simulations at once; the pods are the first one's."""
    api, seen = _Api(taken or {}), Seen()
    for body in pods:
        seen.put(("load", "s0"), POD.kind, body)
    for number in range(simulations):
        body = resource(f"s{number}")
        seen.put(("load", f"s{number}"), SIMULATION.kind, body)

    async def look() -> list[object]:
        telemetry = Telemetry("127.0.0.1", 0, str)
        with ThreadPoolExecutor(8) as executor:
            async with Scraper() as scraper:
                reconciler = Reconciler(
                    seen, api, scraper, telemetry, SETTINGS, lambda: NOW, executor
                )
                return await asyncio.gather(
                    *map(reconciler.look, seen.keys()), return_exceptions=True
                )

    return api, asyncio.run(look())


def test_a_child_that_is_refused_keeps_no_other_back() -> None:
    """The policy comes before the pods, and what is refused is told all the same."""
    api, (answer,) = _looked(1)

    assert api.applied == ["ConfigMap", "NetworkPolicy", "Deployment", "PodMonitor"]
    assert isinstance(answer, ApiRefused)
    assert answer.message == "no such name"


_OWN = {"clickstream.dev/simulation": "s0"}
_FORMER = {"kind": "ClickstreamSimulation", "name": "s0", "uid": "former", "controller": True}


@pytest.mark.parametrize(
    ("metadata", "is_left_alone"),
    [
        ({}, True),
        ({"ownerReferences": [{**_FORMER, "uid": resource()["metadata"]["uid"]}]}, False),
        ({"labels": _OWN}, False),
        ({"labels": _OWN, "ownerReferences": [_FORMER]}, False),
        ({"labels": _OWN, "ownerReferences": [{**_FORMER, "kind": "Shop"}]}, True),
        ({"labels": _OWN, "ownerReferences": [{**_FORMER, "name": "s1"}]}, True),
        ({"ownerReferences": [_FORMER]}, True),
    ],
    ids=["nobody's", "its own", "orphaned", "of the former", "a shop's", "s1's", "unlabelled"],
)
def test_what_is_anothers_is_left_alone(metadata: dict[str, Any], *, is_left_alone: bool) -> None:
    """Whoever may make simulations may not by that write over what they could not write."""
    api, (answer,) = _looked(1, {"Deployment": metadata})

    assert ("Deployment" not in api.applied) == is_left_alone
    assert isinstance(answer, NameTaken) == is_left_alone
    assert {"ConfigMap", "NetworkPolicy", "PodMonitor"} <= set(api.applied)


def test_pods_of_a_former_simulation_of_the_name_do_not_count() -> None:
    """Its last words - all is over - would end the new one before it has begun."""
    runs = {"former": "former", "present": resource()["metadata"]["uid"]}
    pods = tuple(
        {
            "metadata": {"name": name, "uid": name, "labels": {"clickstream.dev/worker": number}},
            "spec": {
                "containers": [{"env": [{"name": "CLICKSTREAM_GENERATOR_RUN_ID", "value": run}]}]
            },
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        for number, (name, run) in zip("01", runs.items(), strict=True)
    )
    api, _ = _looked(1, pods=pods)

    assert [status["readyWorkers"] for status in api.statuses] == [1]


def test_looks_at_once_ask_for_kinds_once_and_all_know_the_answer() -> None:
    """Who did not know of PodMonitors would take them away."""
    api, _ = _looked(4)

    assert api.asked == 1
    assert api.applied.count("PodMonitor") == 4
