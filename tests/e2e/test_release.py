"""The whole on a real cluster: installed, under load, killed piece by piece, upgraded, removed.

One test with parts in a fixed order: each part needs the objects of the part before.
"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from pipeline import wait_until
from release import (
    DRIVER,
    EXECUTOR,
    FAULTS,
    NAMESPACE,
    OPERATOR,
    RELEASE,
    WORKER,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from release import Figures, Release

VICTIMS = {
    "executor": EXECUTOR, "driver": DRIVER, "broker": "app=kafka", "database": "app=postgres",
}  # fmt: skip
_FAST = "fast"


@pytest.mark.timeout(3_000)  # the first test also builds the images
def test_release_survives_every_death(
    release: Release,
    figures: Figures,
    try_connections: Callable[[Release], None],
    tmp_path: Path,
) -> None:
    """Every event is in the tables once, through each death; what is left at the end are claims."""
    _an_upgrade_loses_nothing(release, figures, tmp_path)
    _one_event_comes_back(release, figures)
    _load_is_accounted_for(release, figures, try_connections)
    _a_simulation_is_steered(release, figures)
    _each_death_changes_nothing(release, figures)
    _the_operator_holds_its_word(release, figures)
    _a_lost_row_is_named(release, figures)
    _nothing_secret_is_seen(release, figures)
    _what_is_left_are_claims(release, figures)


def _an_upgrade_loses_nothing(release: Release, figures: Figures, folder: Path) -> None:
    """From the chart before this one, under load: the same workers, every event stored."""
    name = "upgraded"
    if not release.has_previous():
        figures.note("NOT RUN: the upgrade from chart 0.1.0", "git's history here begins after it")
        release.install()
        return
    release.install_previous(folder)
    release.apply(name, rate={"eventsPerSecond": 1_000}, stopAfter={"duration": "90s"})
    release.wait_ready(name, 60)
    pods = {row["metadata"]["uid"] for row in release.cluster.pods(WORKER)}
    took = figures.timed(release.install)
    figures.note("upgraded from chart 0.1.0 under load; all ready, s", f"{took:.0f}")
    assert {row["metadata"]["uid"] for row in release.cluster.pods(WORKER)} <= pods
    release.wait_closed(name)
    release.zeros(figures, "after the upgrade", "verify-upgrade")


def _one_event_comes_back(release: Release, figures: Figures) -> None:
    began = time.monotonic()
    release.cluster.helm("test", RELEASE, "--timeout", "3m")
    figures.note("helm test, s", f"{time.monotonic() - began:.0f}")


def _load_is_accounted_for(
    release: Release, figures: Figures, try_connections: Callable[[Release], None]
) -> None:
    """2,000 events/s for two minutes, with faults: rows, sessions, zeros."""
    name = "storefront"
    stop = {"duration": "2m"}
    release.apply(name, rate={"eventsPerSecond": 2_000}, stopAfter=stop, faults=FAULTS)
    figures.note("2,000 events/s Ready, s", f"{release.wait_ready(name, 60):.1f}")
    for label, what in ((WORKER, "generator"), (DRIVER, "driver"), (EXECUTOR, "executor")):
        rows = release.cluster.pods(label)
        assert rows, f"no {what} runs"
        for row in rows:
            _is_restricted(row)
            assert row["status"]["phase"] == "Running"
        figures.note(f"{what} pods, restricted and running", len(rows))
    try_connections(release)
    _a_missing_secret_is_named_and_heals(release, figures)
    late = release.wait_closed(name)
    figures.note("all stored after the run's end, s", f"{late:.1f}")
    report = release.zeros(figures, "after the load", "verify-load")
    assert report["events_stored"] > 200_000
    ((sessions,),) = release.sql("SELECT count(*) FROM mart.fact_sessions")
    figures.note("sessions stored", sessions)
    assert int(sessions) > 1_000


def _a_missing_secret_is_named_and_heals(release: Release, figures: Figures) -> None:
    """A secret that is missing is a condition, and goes away with its cause; meanwhile load."""
    name, secret, cluster = "unlucky", "not-there-yet", release.cluster
    kafka = {"bootstrapServers": "kafka:9092", "credentialsSecretRef": {"name": secret}}
    release.apply(name, rate={"eventsPerSecond": 10}, stopAfter={"events": 50}, kafka=kafka)
    reason = "CredentialsRefused"
    wait_until(lambda: release.condition(name)[1] == reason, f"{name} is {reason}", 60)
    rows = release.status(name)["conditions"]
    assert all(
        f"there is no secret {secret}" in row["message"] for row in rows if row["reason"] == reason
    )
    copy = cluster.get("secret", "kafka-user")
    copy["metadata"] = {"name": secret, "labels": {"clickstream.dev/credentials": "true"}}
    cluster.kubectl("apply", "-f", "-", given=json.dumps(copy))
    took = release.timed(
        lambda: release.condition(name)[1] in {"Running", "Completed"}, f"{name} heals", 240
    )
    figures.note(f"a secret that was missing is made: {reason} until, s", f"{took:.0f}")
    release.wait_closed(name)


def _a_simulation_is_steered(release: Release, figures: Figures) -> None:
    """Scaled, suspended and resumed under load: each shard continues from its position."""
    name, cluster = "steered", release.cluster
    release.apply(
        name, rate={"eventsPerSecond": 2_000}, workers={"count": 2},
        stopAfter={"duration": "75s"}, faults=FAULTS,
    )  # fmt: skip
    release.wait_ready(name, 60)
    cluster.kubectl("scale", f"css/{name}", "--replicas=3")
    took = release.timed(
        lambda: len(cluster.pods(WORKER)) == 3 and release.condition(name)[0] == "True",
        "three workers", 60,
    )  # fmt: skip
    figures.note("scaled from 2 to 3 workers, Ready, s", f"{took:.1f}")
    cluster.kubectl("patch", "css", name, "--type=merge", "-p", '{"spec":{"suspend":true}}')
    wait_until(lambda: not cluster.pods(WORKER), "it is suspended", 60)
    assert release.condition(name) == ("False", "Suspended")
    cluster.kubectl("patch", "css", name, "--type=merge", "-p", '{"spec":{"suspend":false}}')
    figures.note("resumed, Ready, s", f"{release.wait_ready(name, 60):.1f}")
    release.wait_closed(name)
    release.zeros(figures, "after scaling and a pause", "verify-steered")


def _each_death_changes_nothing(release: Release, figures: Figures) -> None:
    """Executor, driver, broker and database are killed, each in the middle of a separate load."""
    for what in ("executor", "driver", "broker", "database"):
        name = f"without-{what}"
        load = {"rate": {"eventsPerSecond": 2_000}, "stopAfter": {"duration": "60s"}}
        before = release.stored()
        release.apply(name, **load, faults=FAULTS)
        release.wait_ready(name, 60)
        release.wait_for_more(before, f"the load before {what}'s death")
        (pod,) = (row["metadata"]["name"] for row in release.cluster.pods(VICTIMS[what]))
        release.kill(pod)
        late = release.wait_closed(name)
        figures.note(f"{what} killed under load; all stored after the run's end, s", f"{late:.0f}")
    release.zeros(figures, "after the deaths", "verify-deaths")
    changed = release.rebuild("rebuild-deaths")
    figures.note("rows that a rebuild changes then", changed)
    assert changed == 0


def _the_operator_holds_its_word(release: Release, figures: Figures) -> None:
    """20,000 events/s, doubled, a worker lost, the operator killed meanwhile: rate and account."""
    name, cluster = _FAST, release.cluster
    cluster.kubectl("scale", f"statefulset/{RELEASE}-streaming", "--replicas=0")
    wait_until(lambda: not cluster.pods(DRIVER), "the stream rests", 90)
    before = release.offsets_at(time.time())
    release.apply(
        name, rate={"eventsPerSecond": 20_000}, shards=8, workers={"count": 2},
        stopAfter={"duration": "150s"},
    )  # fmt: skip
    release.kill(cluster.pods(OPERATOR)[0]["metadata"]["name"])
    ready = release.wait_ready(name, 60)
    figures.note("20,000 events/s Ready, operator killed meanwhile, s", f"{ready:.1f}")
    assert ready < 30
    _achieved(release, figures, 20_000, before)

    pods = {row["metadata"]["uid"] for row in cluster.pods(WORKER)}
    patch = '{"spec":{"rate":{"eventsPerSecond":40000}}}'
    cluster.kubectl("patch", "css", name, "--type=merge", "-p", patch)
    patched = time.time()
    release.kill(cluster.pods(OPERATOR)[0]["metadata"]["name"])
    reached = release.timed(
        lambda: release.status(name).get("achievedEventsPerSecond", 0) >= 0.98 * 40_000,
        "40,000 events/s reached", 60,
    )  # fmt: skip
    figures.note("doubled by kubectl patch, operator killed meanwhile, s", f"{reached:.1f}")
    assert {row["metadata"]["uid"] for row in cluster.pods(WORKER)} == pods, (
        "a worker was restarted"
    )
    time.sleep(max(0.0, patched + 27 - time.time()))  # what is counted is time
    counted = (release.offsets_at(patched + 25) - release.offsets_at(patched + 15)) / 10
    figures.note("events/s 15 to 25 s after the patch, by Kafka's offsets", f"{counted:,.0f}")
    assert abs(counted / 40_000 - 1) < 0.02

    worker = cluster.pods(WORKER)[0]["metadata"]["name"]
    release.kill(worker)
    release.kill(cluster.pods(OPERATOR)[0]["metadata"]["name"])
    back = release.timed(
        lambda: len(rows := cluster.pods(WORKER)) == 2
        and all(_is_ready(row) and row["metadata"]["name"] != worker for row in rows),
        "the worker is back", 60,
    )  # fmt: skip
    figures.note("worker deleted, operator killed: back, s", f"{back:.1f}")
    assert back < 20
    # What is left of the run is only to end it, with all shards where they are now.
    patch = '{"spec":{"rate":{"eventsPerSecond":1000}}}'
    cluster.kubectl("patch", "css", name, "--type=merge", "-p", patch)
    cluster.kubectl("scale", f"statefulset/{RELEASE}-streaming", "--replicas=1")
    figures.note("all stored, s", f"{release.wait_closed(name):.0f}")
    release.zeros(figures, "after the operator's proof", "verify-operator")


def _achieved(release: Release, figures: Figures, target: int, before: int) -> None:
    """Count with the broker's offsets over ten seconds, by the broker's own clock.

    A run begins when the operator first sees it: workers that come later catch up first.
    """
    started = datetime.fromisoformat(release.status(_FAST)["startTime"]).timestamp()

    def is_caught_up() -> bool:
        now = time.time() - 1  # what is under way is not behind
        return release.offsets_at(now) - before >= 0.98 * target * (now - started)

    caught_up = release.timed(is_caught_up, f"{target:,} events/s since its beginning", 60)
    figures.note("caught up with the time before its workers, s", f"{caught_up:.1f}")
    began = time.time() + 2
    time.sleep(13)  # what is counted is time
    counted = (release.offsets_at(began + 10) - release.offsets_at(began)) / 10
    figures.note(f"{target:,} events/s asked, by Kafka's offsets", f"{counted:,.0f}")
    assert abs(counted / target - 1) < 0.02


def _a_lost_row_is_named(release: Release, figures: Figures) -> None:
    """A verified run loses a row: the resource says so within two periods, with the minute."""
    name, cluster = "storefront", release.cluster
    patch = '{"spec":{"verification":{"every":"1m"}}}'
    cluster.kubectl("patch", "css", name, "--type=merge", "-p", patch)
    took = release.timed(
        lambda: release.condition(name, "Verified") == ("True", "Agrees"), "it is verified", 120
    )
    figures.note("Verified True after spec.verification was set, s", f"{took:.0f}")
    (pod,) = cluster.pods("app.kubernetes.io/component=verification")
    _is_restricted(pod)
    chosen = f"simulation = '{NAMESPACE}/{name}' ORDER BY event_time OFFSET 100 LIMIT 1"
    ((minute,),) = release.sql(
        "WITH lost AS (DELETE FROM raw.events WHERE event_id ="  # noqa: S608  our own names
        f" (SELECT event_id FROM raw.events WHERE {chosen}) RETURNING event_time)"
        """ SELECT to_char(event_time, 'YYYY-MM-DD"T"HH24:MI:00"Z"') FROM lost"""
    )
    took = release.timed(
        lambda: release.condition(name, "Verified") == ("False", "Differs"), "the loss is found",
        120,
    )  # fmt: skip
    figures.note("a row deleted: Verified False after, s", f"{took:.0f}")
    status = release.status(name)
    message = next(r["message"] for r in status["conditions"] if r["type"] == "Verified")
    assert f"1 lost, first at {minute}" in message
    found = status["verification"]
    assert (found["differences"], found["firstDifference"]) == (1, minute)
    assert found["events"] == found["rows"] + 1
    shown = cluster.kubectl("get", "css", name).splitlines()
    assert dict(zip(shown[0].split(), shown[1].split(), strict=True))["VERIFIED"] == "False"


def _nothing_secret_is_seen(release: Release, figures: Figures) -> None:
    """No password in any log, pod, ConfigMap or event of the namespace."""
    cluster = release.cluster
    texts = [cluster.kubectl("get", "pods,configmaps,events,jobs,statefulsets,css", "-o", "yaml")]
    for row in cluster.get("pods")["items"]:
        pod = row["metadata"]["name"]
        texts.append(cluster.kubectl("logs", pod, "--all-containers", check=False))
        texts.append(cluster.kubectl("logs", pod, "--all-containers", "--previous", check=False))
    seen = [role for role, word in release.canaries.items() if any(word in text for text in texts)]
    figures.note("passwords seen in logs, pods, ConfigMaps, events", len(seen))
    assert not seen


def _what_is_left_are_claims(release: Release, figures: Figures) -> None:
    """Simulations first, then the release; claims stay, and what people brought themselves."""
    claims = release.remove()
    figures.note("left after helm uninstall", f"{len(claims)} claim, nothing else")
    assert len(claims) == 1


def _is_ready(pod: dict[str, Any]) -> bool:
    rows = pod["status"].get("conditions", [])
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)


def _is_restricted(pod: dict[str, Any]) -> None:
    """The namespace enforces it; our own pods also have a root that stays as built."""
    assert pod["metadata"]["namespace"] == NAMESPACE
    for container in pod["spec"]["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
