"""The operator's small parts: shards in text, drift, versions, the queue, settings."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_operator.core.drift import holds
from clickstream_operator.core.handover import may_carry
from clickstream_operator.core.observed import Observed, Pod
from clickstream_operator.core.seen import Seen
from clickstream_operator.core.shards import dealt, format_shards, parse_shards
from clickstream_operator.errors import ApiRefused
from clickstream_operator.settings import PREFIX, settings_from
from clickstream_operator.shell.work_queue import WorkQueue
from hypothesis import given
from hypothesis import strategies as st

IMAGE = {PREFIX + "IMAGE": "registry.example/generator:1.0"}


@given(st.integers(1, 1_024), st.integers(1, 64))
def test_each_shard_is_dealt_once_and_evenly(shards: int, workers: int) -> None:
    """No worker has more than one shard more than another."""
    hands = dealt(shards, workers)

    assert sorted(number for hand in hands for number in hand) == list(range(shards))
    assert max(map(len, hands)) - min(map(len, hands)) <= 1


@given(st.sets(st.integers(0, 1_023)))
def test_shards_are_read_as_they_were_written(numbers: set[int]) -> None:
    """Ranges and single ones, in any mixture."""
    assert parse_shards(format_shards(tuple(numbers))) == numbers


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "1,,2", "1-2-3", "99999999999", "1024", "0-1023,0-1023", "3-1"]
)
def test_other_texts_are_no_shards(text: str) -> None:
    """Somebody else's annotation carries nothing."""
    assert parse_shards(text) == frozenset()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_what_is_wanted_holds_itself(wanted: object) -> None:
    """And goes on to when the API server adds its defaults."""
    assert holds(wanted, wanted)
    assert holds(_with_defaults(wanted), wanted)


def _with_defaults(value: object) -> object:
    if isinstance(value, dict):
        return {**{key: _with_defaults(row) for key, row in value.items()}, "added": 1}
    return [_with_defaults(row) for row in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("actual", "wanted", "is_held"),
    [
        ({}, {"a": ""}, True),
        ({}, {"a": "x"}, False),
        ({"a": 2}, {"a": 1}, False),
        ([{"name": "b"}, {"name": "a", "x": 1}], [{"name": "a"}], True),
        ([{"name": "b"}], [{"name": "a"}], False),
        ([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
         [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], True),
        ([{"port": 53, "protocol": "UDP"}], [{"port": 53, "protocol": "TCP"}], False),
        ([1, 2], [1], False),
        (None, [], True),
        (None, {"a": {}}, False),
    ],
)  # fmt: skip
def test_drift_is_what_is_missing_or_other(actual: Any, wanted: Any, is_held: bool) -> None:  # noqa: ANN401, FBT001
    """What others added is none; what is wanted must be there."""
    assert holds(actual, wanted) is is_held


def _deployment(
    worker: int, shards: str, generation: int = 1, seen: int = 1, replicas: int = 1
) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"generation": generation, "labels": {"clickstream.dev/worker": str(worker)}},
        "spec": {
            "replicas": replicas,
            "template": {"metadata": {"annotations": {"clickstream.dev/shards": shards}}},
        },
        "status": {"observedGeneration": seen},
    }


def test_a_shard_waits_until_nobody_else_can_have_it() -> None:
    """Neither a pod, nor a Deployment that may still make one."""
    pod = Pod("p", 0, frozenset({1}))
    over = Pod("p", 0, frozenset({1}), is_over=True)

    assert may_carry(1, {1}, Observed())
    assert not may_carry(1, {1}, Observed(pods=(pod,)))
    assert may_carry(0, {1}, Observed(pods=(pod,)))
    assert may_carry(1, {1}, Observed(pods=(over,)))
    assert not may_carry(1, {1}, Observed((_deployment(0, "0-1"),)))
    assert may_carry(1, {1}, Observed((_deployment(0, "0-1", replicas=0),)))
    assert not may_carry(1, {1}, Observed((_deployment(0, "0", generation=2),)))
    assert may_carry(1, {1}, Observed((_deployment(0, "0", generation=2), _deployment(1, "1"))))


def _body(version: int, uid: str = "u") -> dict[str, Any]:
    return {
        "metadata": {"name": "x", "uid": uid, "resourceVersion": str(version), "managedFields": []}
    }


def test_the_newest_version_counts_whoever_told_of_it() -> None:
    """An old event after an answer changes nothing; an answer after the end neither."""
    seen, key = Seen(), ("n", "s")
    seen.put(key, "Pod", _body(7))
    seen.put(key, "Pod", _body(5))
    assert [row["metadata"]["resourceVersion"] for row in seen.of(key)] == ["7"]
    assert "managedFields" not in seen.of(key)[0]["metadata"]
    seen.drop(key, "Pod", _body(8))
    seen.put(key, "Pod", _body(7))
    assert seen.of(key) == []
    seen.put(key, "Pod", _body(10, "another"))
    seen.drop(key, "Pod", _body(8))
    assert len(seen.of(key)) == 1


def test_an_object_whose_label_was_taken_off_and_put_back_is_there() -> None:
    """A watch by label tells of its end, though it only went out of sight."""
    seen, key = Seen(), ("n", "s")
    seen.put(key, "Deployment", _body(7))
    seen.drop(key, "Deployment", _body(8))
    seen.put(key, "Deployment", _body(9))
    assert len(seen.of(key)) == 1


def test_what_a_list_does_not_have_is_gone_unless_it_is_newer() -> None:
    """Of the list's kind and namespace only; whose it was is told."""
    seen, key, other = Seen(), ("n", "s"), ("m", "s")
    seen.put(key, "Pod", _body(7, "gone"))
    seen.put(other, "Pod", _body(7, "elsewhere"))
    seen.put(key, "Service", _body(7, "another kind"))

    assert seen.keep("n", "Pod", 6, set()) == set()
    assert seen.keep("n", "Pod", 9, {"gone"}) == set()
    assert seen.keep("n", "Pod", 9, {"new"}) == {key}
    assert [row["metadata"]["uid"] for row in seen.of(key)] == ["another kind"]
    assert seen.keep("", "Pod", 9, set()) == {other}


def test_the_queue_looks_at_a_key_once_at_a_time_and_again_if_it_failed() -> None:
    """Many requests are one look; what fails comes again; what has begun is ended."""

    async def scenario() -> tuple[list[str], int]:
        looks: list[str] = []
        running: set[str] = set()
        most = 0
        stop, enough = asyncio.Event(), asyncio.Event()

        async def look(key: str) -> float | None:
            nonlocal most
            assert key not in running
            running.add(key)
            most = max(most, len(running))
            await asyncio.sleep(0.01)
            running.discard(key)
            looks.append(key)
            if looks.count("bad") >= 2 and looks.count("again") >= 3:
                enough.set()
            if key == "bad" and looks.count("bad") < 2:
                raise ApiRefused("GET", "/", 500, "no")
            return 0.01 if key == "again" and looks.count("again") < 3 else None

        queue = WorkQueue(look, 2)
        work = asyncio.create_task(queue.run(stop))
        for key in ("once", "once", "bad", "again", "other"):
            queue.add(key)
        async with asyncio.timeout(30):
            await enough.wait()
        assert queue.overdue_seconds() == 0
        queue.add("late")
        await asyncio.sleep(0.005)
        stop.set()
        await work
        assert not running
        return looks, most

    looks, most = asyncio.run(scenario())
    assert (looks.count("once"), looks.count("other")) == (1, 1)
    assert most <= 2


def test_settings_are_read_and_refused_by_name() -> None:
    """An image must be named with its version; a typing mistake is no default."""
    assert settings_from(IMAGE | {"PATH": "x", PREFIX + "MAX_WORKERS": ""}).max_workers == 8
    assert settings_from(IMAGE | {PREFIX + "NAMESPACES": "a, b"}).namespaces == ("a", "b")
    for name, value in (
        ("IMAGE", "generator"), ("IMAGE", "x:1 --privileged"), ("MAX_WORKER", "1"),
        ("MAX_WORKERS", "0"), ("BOOTSTRAP_SERVERS", "kafka"), ("NAMESPACES", "A"),
        ("WORKER_MEMORY_LIMIT", "1e9"), ("METRICS_HOST", "localhost; rm"),
    ):  # fmt: skip
        with pytest.raises(SettingsInvalid, match=PREFIX + name):
            settings_from(IMAGE | {PREFIX + name: value})
    with pytest.raises(SettingsInvalid, match=PREFIX + "IMAGE is not set"):
        settings_from({})


def test_every_reason_is_documented() -> None:
    """docs/operator.md names each reason of a condition as it is."""
    root = Path(__file__).parents[3]
    page = (root / "docs" / "operator.md").read_text(encoding="utf-8")
    for reason in (
        "Running", "WorkersStarting", "Suspended", "Completed", "InvalidSpec", "NoBroker",
        "ImagePullFailed", "Unschedulable", "QuotaExceeded", "PodsRefused", "ChildRefused",
        "WorkerMisconfigured", "WorkerCrashed", "BrokerUnreachable", "BrokerSlow",
        "ChangeRefused", "RateNotReached", "WorkersUnseen",
    ):  # fmt: skip
        assert f"| `{reason}` |" in page, reason


def test_versions_in_any_order_end_the_same() -> None:
    """However events and answers are mixed, the newest version is left."""
    order = random.Random(3)  # noqa: S311  an order to try, no secret
    for _ in range(50):
        seen = Seen()
        versions = list(range(1, 20))
        order.shuffle(versions)
        for version in versions:
            seen.put(("n", "s"), "Pod", _body(version))
        assert seen.of(("n", "s"))[0]["metadata"]["resourceVersion"] == "19"
