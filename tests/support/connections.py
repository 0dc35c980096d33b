"""Which pods may connect to which: the table of the documentation, and what real packets say.

Owns how the table is read, how pods that stand for others are made, and how connections are tried
from within pods. Ports that a pod listens on are found in the pod: one that the table does not
list must be refused.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pipeline import wait_until
from release import DRIVER, EXECUTOR, NAMESPACE, OPERATOR, RELEASE, WORKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from release import Cluster, Release

__all__ = [
    "ANY", "DOCUMENT", "Listed", "Member", "Place", "keeps_policies", "listed", "may_connect",
    "opened", "places_of", "probe_pod", "services", "start", "try_release", "wait_until_listed",
]  # fmt: skip

DOCUMENT = Path(__file__).parents[2] / "docs" / "install.md"
ANY = "pods elsewhere"
"""The kind that stands for every pod of another namespace."""
_HEAD = "| from | to | ports |"
_EVERY = "every"
_SETTLES_SECONDS = 60.0
"""New pods' policies take a moment; a leak, or a refusal, that stays is one."""
_TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def connects(place):
    try:
        socket.create_connection(place, 2).close()
    except OSError:
        return False
    return True
with ThreadPoolExecutor(32) as threads:
    print(json.dumps(list(threads.map(connects, json.loads(sys.argv[1])))))
"""
_LISTEN = """
import json, socket, sys, threading
def serve(port):
    with socket.create_server(("", port)) as server:
        while True:
            server.accept()[0].close()
for port in json.loads(sys.argv[1]):
    threading.Thread(target=serve, args=(port,)).start()
"""
_PORTS = """
import json
found = set()
for table in ("tcp", "tcp6"):
    for row in open("/proc/net/" + table).read().splitlines()[1:]:
        words = row.split()
        address, port = words[1].split(":")
        if words[3] == "0A" and address[-8:] not in ("0100007F", "01000000"):
            found.add(int(port, 16))
print(json.dumps(sorted(found)))
"""


@dataclass(frozen=True)
class Listed:
    """One row of the table; ``ports`` is empty where every port is meant."""

    source: str
    target: str
    ports: frozenset[int]


@dataclass(frozen=True)
class Member:
    """A pod that asks, and may be asked.

    Attributes:
        kind: As the table calls it.
        pod, container, namespace: Where it is.
    """

    kind: str
    pod: str
    container: str
    namespace: str


@dataclass(frozen=True)
class Place:
    """Where a connection goes: a member of a kind, or a service such as the API server."""

    kind: str
    address: str
    port: int
    pod: str = ""


def listed(text: str) -> list[Listed]:
    """Return the rows of the table in a page; kinds in one cell are separated by commas."""
    found: list[Listed] = []
    for line in text.partition(_HEAD)[2].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 3:
            break
        sources, targets, ports = cells
        numbers = frozenset(int(port) for port in re.findall(r"\d+", ports))
        assert numbers or ports == _EVERY, line
        found += [
            Listed(source, target, numbers)
            for source in sources.split(", ")
            for target in targets.split(", ")
        ]
    assert found, f"there is no table with the head {_HEAD}"
    return found


def may_connect(rows: Iterable[Listed], source: Member, place: Place, home: str) -> bool:
    """Say whether the table allows a connection; ``home`` is the release's namespace."""
    kinds = {source.kind} if source.namespace == home else {source.kind, ANY}
    return any(
        row.source in kinds
        and row.target == place.kind
        and (not row.ports or place.port in row.ports)
        for row in rows
    )


def probe_pod(
    name: str,
    image: str,
    labels: Mapping[str, str],
    ports: Iterable[int] = (),
    named: Iterable[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a restricted pod that waits for commands and listens on ports.

    Args:
        name: The pod's.
        image: One with Python.
        labels: By which policies know it.
        ports: What it listens on.
        named: Ports as a container declares them: policies may use their names.
    """
    script = _LISTEN + "threading.Event().wait()\n"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", script, json.dumps(sorted(ports))],
                    "ports": list(named),
                    "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


@contextmanager
def opened(cluster: Cluster, *names: str) -> Iterator[None]:
    """Make namespaces that enforce the restricted standard; take them away at the end."""
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    rows = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": label}}
        for name in names
    ]
    remove = ("delete", "namespace", *names, "--ignore-not-found", "--timeout=180s")
    cluster.kubectl(*remove)
    cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(rows))
    try:
        yield
    finally:
        cluster.kubectl(*remove)


def start(cluster: Cluster, namespace: str, rows: list[dict[str, Any]]) -> None:
    """Make objects in a namespace, and wait until those that are pods are ready."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": rows})
    cluster.kubectl("--namespace", namespace, "apply", "-f", "-", given=text)
    names = [f"pod/{row['metadata']['name']}" for row in rows if row["kind"] == "Pod"]
    cluster.kubectl(
        "--namespace", namespace, "wait", *names, "--for=condition=Ready", "--timeout=120s"
    )


def keeps_policies(cluster: Cluster, namespace: str, image: str) -> bool:
    """Say whether the cluster's network keeps policies, by one that refuses everything."""
    labels = {"probe": "refuses"}
    refuses = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "refuses"},
        "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress"]},
    }
    port = 9_000
    start(
        cluster, namespace,
        [refuses, probe_pod("refuses", image, labels, [port]), probe_pod("asks", image, {})],
    )  # fmt: skip
    row = cluster.get("--namespace", namespace, "pod", "refuses")
    place = Place("refuses", row["status"]["podIP"], port)
    asks = Member("asks", "asks", "probe", namespace)
    try:
        wait_until(lambda: not _tried(cluster, asks, [place])[place], "it is refused", 20)
    except AssertionError:
        return False
    return True


def services(cluster: Cluster, member: Member) -> list[Place]:
    """Return the API server and the name server as a pod knows them."""
    script = "print(open('/etc/resolv.conf').read())"
    lines = _inside(cluster, member, script).splitlines()
    server = next(line.split()[1] for line in lines if line.startswith("nameserver"))
    api = cluster.get("--namespace", "default", "service", "kubernetes")["spec"]["clusterIP"]
    return [Place("DNS", server, 53), Place("API server", api, 443)]


def places_of(cluster: Cluster, members: Iterable[Member]) -> list[Place]:
    """Return every port that members listen on, at their pods' addresses."""
    found = []
    for member in members:
        row = cluster.get("--namespace", member.namespace, "pod", member.pod)
        ports = json.loads(_inside(cluster, member, _PORTS))
        assert ports, f"{member.pod} listens on nothing"
        address = row["status"]["podIP"]
        found += [Place(member.kind, address, port, member.pod) for port in ports]
    return found


def wait_until_listed(
    cluster: Cluster, rows: list[Listed], members: list[Member], places: list[Place], home: str
) -> str:
    """Wait until every connection is as the table says; return how many there were.

    Raises:
        AssertionError: Connections that stay open or refused against the table, by name.
    """
    wrong: list[str] = ["nothing was tried"]
    count = {True: 0, False: 0}

    def is_as_listed() -> bool:
        wrong.clear()
        count.update({True: 0, False: 0})
        with ThreadPoolExecutor(4) as threads:
            answers = threads.map(lambda member: _tried(cluster, member, places), members)
            for member, answer in zip(members, answers, strict=True):
                for place, connects in answer.items():
                    wanted = may_connect(rows, member, place, home)
                    if member.kind == place.kind and not wanted:
                        # kube-router takes a policy's rules of both directions for pods that
                        # are both under it, so such a port is open there and nowhere else.
                        continue
                    count[connects] += 1
                    if connects != wanted:
                        says = "connects" if connects else "is refused"
                        wrong.append(f"{member.kind} {says}: {place.kind} {place.port}")
        return not wrong

    try:
        wait_until(is_as_listed, "connections are as listed", _SETTLES_SECONDS)
    except AssertionError:
        raise AssertionError("\n".join(wrong)) from None
    assert count[True], "nothing connects to anything"
    return f"{count[True]} open, {count[False]} refused, 0 unlike the table"


def _tried(cluster: Cluster, member: Member, places: list[Place]) -> dict[Place, bool]:
    """Try every place but the pod itself: what a pod sends to itself meets no policy."""
    others = [place for place in places if place.pod != member.pod]
    asked = json.dumps([[place.address, place.port] for place in others])
    return dict(zip(others, json.loads(_inside(cluster, member, _TRY, asked)), strict=True))


def _inside(cluster: Cluster, member: Member, script: str, *arguments: str) -> str:
    return cluster.kubectl(
        "--namespace", member.namespace, "exec", member.pod, "--container", member.container,
        "--", "python3", "-c", script, *arguments,
    )  # fmt: skip


_RUNNING = {
    "operator": OPERATOR, "workers": WORKER, "driver": DRIVER, "executors": EXECUTOR,
    "Kafka": "app=kafka", "PostgreSQL": "app=postgres",
}  # fmt: skip
_OWN_KAFKA_PORT = 9_092
"""Of the Kafka that a release of the end-to-end test uses; the table has Strimzi's."""


def try_release(release: Release, elsewhere: str) -> str:
    """Try the connections of a release that runs; return how many were open and refused.

    Pods that run ask themselves; Jobs, which do not run now, are asked for by pods with the labels
    that theirs have.

    Args:
        release: With a simulation under way.
        elsewhere: A namespace without policies.
    """
    cluster, image = release.cluster, release.images.name("services")
    running = {}
    for kind, label in _RUNNING.items():
        row = cluster.pods(label)[0]
        container = row["spec"]["containers"][0]["name"]
        running[kind] = Member(kind, row["metadata"]["name"], container, NAMESPACE)
    places = places_of(cluster, running.values())
    labels = {**_job_labels(cluster), "a stranger": {}}
    stand_ins = {kind: Member(kind, f"probe-{n}", "probe", NAMESPACE)
                 for n, kind in enumerate(labels)}  # fmt: skip
    outsider = Member("an outsider", "probe", "probe", elsewhere)
    start(cluster, NAMESPACE, [
        probe_pod(member.pod, image, labels[kind]) for kind, member in stand_ins.items()
    ])  # fmt: skip
    start(cluster, elsewhere, [probe_pod(outsider.pod, image, {})])
    places += services(cluster, outsider)
    # What Kafka and PostgreSQL of one's own may send is not the chart's affair.
    asking = [member for kind, member in running.items() if kind not in {"Kafka", "PostgreSQL"}]
    members = [*asking, *stand_ins.values(), outsider]
    try:
        rows = [
            replace(row, ports=frozenset({_OWN_KAFKA_PORT})) if row.target == "Kafka" else row
            for row in listed(DOCUMENT.read_text(encoding="utf-8"))
            if not (row.target in {"Kafka", "PostgreSQL"} and row.source == ANY)
        ]
        return wait_until_listed(cluster, rows, members, places, NAMESPACE)
    finally:
        names = [member.pod for member in stand_ins.values()]
        cluster.kubectl("delete", "pod", *names, "--grace-period=0", "--force")


def _job_labels(cluster: Cluster) -> dict[str, dict[str, str]]:
    """Return the labels of pods that run for a while only; a Job would adopt one with all."""
    found = {
        name: cluster.get("cronjob", f"{RELEASE}-{name}")["spec"]["jobTemplate"]["spec"]["template"]
        for name in ("verify", "rebuild")
    }
    of_migrations = "app.kubernetes.io/name=clickstream-migrations"
    found["migrations"] = cluster.get("jobs", "-l", of_migrations)["items"][0]["spec"]["template"]
    hooks = yaml.safe_load_all(cluster.helm("get", "hooks", RELEASE))
    found["test"] = next(row for row in hooks if row and row["kind"] == "Pod")
    return {
        kind: {
            name: value
            for name, value in row["metadata"]["labels"].items()
            if name.startswith("app.kubernetes.io/")
        }
        for kind, row in found.items()
    }
