"""A release of the chart on a real cluster, and the Kafka and PostgreSQL that it is given.

Owns kubectl, helm, the namespace, and reading back what is in the cluster. All of it goes by
KUBECONFIG; nothing needs a way into the pods' network.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import subprocess
import tarfile
import time
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from clickstream_contract.topics import EVENTS, TOPICS
from pipeline import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "BUILD", "DEFECTS", "DRIVER", "EXECUTOR", "FAULTS", "NAMESPACE", "OPERATOR", "RELEASE",
    "WORKER", "Cluster", "Figures", "Images", "Release",
]  # fmt: skip

ROOT = Path(__file__).parents[2]
NAMESPACE, RELEASE = "clickstream-e2e", "shop"
DEFECTS = ("lost", "duplicated", "phantom", "altered", "aggregate_mismatches",
           "session_mismatches", "illegal_transitions")  # fmt: skip
FAULTS = {"duplicatePermille": 2, "latePermille": 2, "maxLatenessSeconds": 60, "corruptPermille": 1}
DRIVER = "app.kubernetes.io/name=clickstream-streaming"
EXECUTOR = "app.kubernetes.io/name=clickstream-streaming-executor"
OPERATOR = "app.kubernetes.io/name=clickstream-operator"
WORKER = "app.kubernetes.io/managed-by=clickstream-operator"
IMAGES = {
    "generator": "apps/generator/Dockerfile",
    "operator": "operator/Dockerfile",
    "migrations": "apps/migrations/Dockerfile",
    "streaming": "apps/streaming/Dockerfile",
    "services": "tests/e2e/images/services/Dockerfile",
}
BUILD = (
    "docker build -t {tag} -f {dockerfile} ."
    " && cluster=$(kubectl config current-context)"
    ' && kind load docker-image --name "${{cluster#kind-}}" {tag}'
)
"""How an image gets into the cluster, unless CLICKSTREAM_E2E_BUILD says it."""
_PREVIOUS_CHART = "a26d56e44d56a24a4689156e797e0f6f96c753c7"
"""The commit of chart 0.1.0: the operator alone."""
_GIT = (shutil.which("git") or "git", "-C", str(ROOT))
_DRAINS_SECONDS = 600.0
_VERIFIES_SECONDS = 600.0
"""Three million events are compared in about three minutes on two cores."""


class Figures:
    """What was measured, in order; printed once, at the end."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []
        self._began = time.monotonic()

    def note(self, name: str, value: object) -> None:
        """Keep a figure, and print it at once."""
        self._rows.append((name, str(value)))
        print(f"[{time.monotonic() - self._began:6.0f} s] {name}: {value}", flush=True)  # noqa: T201

    def timed(self, does: Callable[[], object]) -> float:
        """Do something; return how many seconds it took."""
        began = time.monotonic()
        does()
        return time.monotonic() - began

    def table(self) -> str:
        """Return all figures."""
        width = max((len(name) for name, _ in self._rows), default=0)
        lines = [f"{name:{width}}  {value}" for name, value in self._rows]
        return "\n".join([*lines, f"{'whole':{width}}  {time.monotonic() - self._began:.0f} s"])


class Cluster:
    """The cluster that KUBECONFIG names."""

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """Run kubectl in our namespace and return what it prints."""
        return self._run("kubectl", "--namespace", NAMESPACE, *arguments, given=given, check=check)

    def helm(self, *arguments: str) -> str:
        """Run helm in our namespace and return what it prints."""
        return self._run("helm", "--namespace", NAMESPACE, *arguments)

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return a resource, or a list of them."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def pods(self, label: str) -> list[dict[str, Any]]:
        """Return pods that are not on their way out."""
        rows = self.get("pods", "-l", label)["items"]
        return [row for row in rows if "deletionTimestamp" not in row["metadata"]]

    def _run(self, *command: str, given: str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=600
        )
        if check and done.returncode:
            raise AssertionError(f"{shlex.join(command)[:300]}\n{done.stdout}\n{done.stderr}")
        return done.stdout


class Images:
    """The images of a run, all of one tag."""

    def __init__(self) -> None:
        given = os.environ.get("CLICKSTREAM_E2E_TAG")
        self.is_built = bool(given)
        self._tag = given or f"e2e-{secrets.token_hex(4)}"

    def build(self) -> None:
        """Build every image and load it into the cluster."""
        command = os.environ.get("CLICKSTREAM_E2E_BUILD", BUILD)
        for name, dockerfile in IMAGES.items():
            filled = command.format(tag=self.name(name), dockerfile=dockerfile)
            done = subprocess.run(
                ["/bin/bash", "-euc", filled], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert not done.returncode, f"{filled}\n{done.stdout[-2_000:]}\n{done.stderr[-2_000:]}"

    def name(self, part: str) -> str:
        """Return an image's name."""
        return f"localhost/clickstream-{part}:{self._tag}"


class Release:
    """The namespace, what is in it, and how it is asked.

    Attributes:
        cluster: Where.
        images: What runs there.
        spark_mode: The chart's ``spark.mode``: ``driver`` or ``operator``.
        canaries: Passwords, none of which may be seen anywhere.
    """

    def __init__(self, cluster: Cluster, images: Images, spark_mode: str) -> None:
        self.cluster = cluster
        self.images = images
        self.spark_mode = spark_mode
        self.canaries = {
            role: f"canary{secrets.token_hex(12)}"
            for role in ("owner", "writer", "reader", "verifier", "kafka")
        }

    def open_namespace(self) -> None:
        """Make the namespace, restricted, with the secrets that people would have made."""
        labels = {f"pod-security.kubernetes.io/{how}": "restricted" for how in ("enforce", "warn")}
        rows: list[dict[str, Any]] = [
            {"apiVersion": "v1", "kind": "Namespace",
             "metadata": {"name": NAMESPACE, "labels": labels}},
        ]  # fmt: skip
        for role, password in self.canaries.items():
            name = "kafka-user" if role == "kafka" else f"postgres-{role}"
            rows.append(
                {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
                 "metadata": {"name": name, "namespace": NAMESPACE},
                 "stringData": {"username": f"e2e_{role}", "password": password}}
            )  # fmt: skip
        self.cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(rows))

    def start_services(self) -> None:
        """Start Kafka and PostgreSQL, and make the topics."""
        text = (ROOT / "tests" / "e2e" / "services.yaml").read_text(encoding="utf-8")
        text = text.replace("IMAGE", self.images.name("services"))
        self.cluster.kubectl("apply", "-f", "-", given=text)
        for name in ("kafka", "postgres"):
            self.cluster.kubectl("rollout", "status", f"statefulset/{name}", "--timeout=180s")
        wanted = [[topic.name, topic.partitions, topic.settings] for topic in TOPICS]
        self._kafka_tool("topics", json.dumps(wanted))

    def offsets_at(self, unix_seconds: float) -> int:
        """Return how many events the broker had taken by then: it stamps each as it takes it."""
        return int(self._kafka_tool("offset", EVENTS.name, str(int(unix_seconds * 1_000))))

    def _kafka_tool(self, *arguments: str) -> str:
        program = "/opt/services/bin/python", "/opt/kafka_tool.py"
        return self.cluster.kubectl("exec", "kafka-0", "-c", "kafka", "--", *program, *arguments)

    def values(self) -> dict[str, Any]:
        """Return the chart's values for a release with an external Kafka and database."""

        def image(name: str) -> dict[str, str]:
            repository, _, tag = self.images.name(name).rpartition(":")
            return {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}

        small = {"requests": {"cpu": "50m", "memory": "256Mi"},
                 "limits": {"cpu": "2", "memory": "1Gi"}}  # fmt: skip
        login = {role: {"existingSecret": f"postgres-{role}"}
                 for role in ("owner", "writer", "reader", "verifier")}  # fmt: skip
        return {
            "kafka": {"mode": "external", "saslWithoutTls": True, "external": {
                "bootstrapServers": "kafka:9092", "existingSecret": "kafka-user"}},
            "postgres": {"mode": "external", "external": {
                "host": "postgres", "sslmode": "disable", **login}},
            "spark": {"mode": self.spark_mode},
            "operator": {"image": image("operator"), "namespaces": [NAMESPACE]},
            "generator": {"image": image("generator"), "resources": small},
            "streaming": {
                "image": image("streaming"),
                "driver": {"cpuRequest": "100m", "heapMiB": 1024, "overheadMiB": 768},
                "executor": {"instances": 1, "cores": 2, "cpuRequest": "100m",
                             "heapMiB": 1024, "overheadMiB": 1280}},
            "migrations": {"image": image("migrations")},
        }  # fmt: skip

    def install(self) -> None:
        """Install the chart, or upgrade to it, and wait until all of it is ready."""
        self._helm_install(ROOT / "helm" / "clickstream", self.values())
        if self.spark_mode == "operator":
            self.cluster.kubectl(
                "wait", f"sparkapplication/{RELEASE}-streaming", "--timeout=180s",
                "--for=jsonpath={.status.applicationState.state}=RUNNING",
            )  # fmt: skip

    def _helm_install(self, chart: Path, values: dict[str, Any]) -> None:
        self.cluster._run(
            "helm", "--namespace", NAMESPACE, "upgrade", "--install", RELEASE, str(chart),
            "--values", "-", "--wait", "--timeout", "10m", given=json.dumps(values),
        )  # fmt: skip

    def has_previous(self) -> bool:
        """Return whether this checkout's history reaches back to the chart before this version."""
        done = subprocess.run([*_GIT, "cat-file", "-e", _PREVIOUS_CHART], check=False)
        return done.returncode == 0

    def install_previous(self, folder: Path) -> None:
        """Install the chart as it was before this version."""
        archive = subprocess.run(
            [*_GIT, "archive", _PREVIOUS_CHART, "helm/clickstream", "k8s"],
            check=True, capture_output=True,
        )  # fmt: skip
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(folder, filter="data")
        now = self.values()
        values = {name: now[name] for name in ("operator", "generator")}
        values["kafka"] = {"external": now["kafka"]["external"]}
        self._helm_install(folder / "helm" / "clickstream", values)
        # This version's operator also lists Jobs, which that chart's does not.
        rule = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]}
        change = json.dumps([{"op": "add", "path": "/rules/-", "value": rule}])
        self.cluster.kubectl("patch", f"role/{RELEASE}-operator", "--type=json", "-p", change)
        # That chart cannot say it, and this version's operator would send no credentials.
        operator = f"deployment/{RELEASE}-operator"
        self.cluster.kubectl("set", "env", operator, "CLICKSTREAM_OPERATOR_SASL_WITHOUT_TLS=true")
        self.cluster.kubectl("rollout", "status", operator, "--timeout=120s")

    def sql(self, query: str) -> list[list[str]]:
        """Ask the database, as its superuser, beside it."""
        printed = self.cluster.kubectl(
            "exec", "postgres-0", "--", "psql", "-h", "/tmp", "-U", "postgres", "-d", "clickstream",  # noqa: S108
            "-XAtc", query,
        )  # fmt: skip
        return [line.split("|") for line in printed.splitlines()]

    def apply(self, name: str, **spec: object) -> None:
        """Apply a simulation."""
        usual: dict[str, object] = {
            "seed": 7,
            "userMix": [{"persona": "Hurried", "weight": 800}, {"persona": "Bot", "weight": 50},
                        {"persona": "Shopper", "weight": 150}],
            "personas": [{"name": "Hurried", "basedOn": "Buyer", "thinkMedianMilliseconds": 250}],
            "users": 50_000,
            "catalog": {"products": 200, "categories": 10},
            "shards": 4,
        }  # fmt: skip
        row = {
            "apiVersion": "clickstream.dev/v1alpha1",
            "kind": "ClickstreamSimulation",
            "metadata": {"name": name},
            "spec": usual | spec,
        }
        self.cluster.kubectl("apply", "-f", "-", given=json.dumps(row))

    def status(self, name: str) -> dict[str, Any]:
        """Return a simulation's status."""
        found: dict[str, Any] = self.cluster.get("css", name).get("status", {})
        return found

    def condition(self, name: str, kind: str = "Ready") -> tuple[str, str]:
        """Return a condition's status and reason."""
        rows = self.status(name).get("conditions", [])
        return next(((r["status"], r["reason"]) for r in rows if r["type"] == kind), ("", ""))

    def wait_ready(self, name: str, seconds: float) -> float:
        """Wait until a simulation is ready; return how long it took."""
        return self.timed(lambda: self.condition(name)[0] == "True", f"{name} Ready", seconds)

    def keep_logs(self) -> None:
        """Write what every pod says to the folder that CLICKSTREAM_E2E_LOGS names, if it does."""
        named = os.environ.get("CLICKSTREAM_E2E_LOGS")
        if not named:
            return
        folder = Path(named) / self.spark_mode
        folder.mkdir(parents=True, exist_ok=True)
        for what in ("pods", "events", "css", "jobs", "sparkapplications"):
            text = self.cluster.kubectl("get", what, "-o", "yaml", check=False)
            (folder / f"{what}.yaml").write_text(text, encoding="utf-8")
        for pod in self.cluster.kubectl("get", "pods", "-o", "name", check=False).split():
            for suffix, more in (("log", ()), ("previous.log", ("--previous",))):
                text = self.cluster.kubectl("logs", pod, "--all-containers", *more, check=False)
                name = f"{pod.removeprefix('pod/')}.{suffix}"
                (folder / name).write_text(text, encoding="utf-8")

    def timed(self, holds: Callable[[], bool], what: str, seconds: float) -> float:
        """Wait until something holds; return how long it took."""
        began = time.monotonic()
        wait_until(holds, what, seconds)
        return time.monotonic() - began

    def wait_closed(self, name: str) -> float:
        """Wait until a simulation is completed and its run is stored to the last session."""
        query = "SELECT simulation, count(*) - count(closed_at) FROM ops.runs GROUP BY 1"
        self.timed(
            lambda: self.condition(name)[1] == "Completed", f"{name} Completed", _DRAINS_SECONDS
        )
        return self.timed(
            lambda: [f"{NAMESPACE}/{name}", "0"] in self.sql(query),
            f"{name} stored", _DRAINS_SECONDS,
        )  # fmt: skip

    def verify(self, name: str) -> dict[str, Any]:
        """Run ``verify`` in the cluster as people do; return its report."""
        return self._run_job(name, "verify")

    def rebuild(self, name: str) -> int:
        """Run ``rebuild`` in the cluster as people do; return how many rows it has changed."""
        report = self._run_job(name, "rebuild")
        assert report.pop("exit") == 1
        return sum(report.values())

    def _run_job(self, name: str, what: str) -> dict[str, Any]:
        job = f"job/{name}"
        self.cluster.kubectl("create", "job", name, f"--from=cronjob/{RELEASE}-{what}")
        wait_until(
            lambda: bool(self.cluster.get(job).get("status", {}).get("conditions")),
            f"{job} has ended", _VERIFIES_SECONDS,
        )  # fmt: skip
        report: dict[str, Any] = json.loads(self.cluster.kubectl("logs", job).splitlines()[-1])
        report["exit"] = self.cluster.get(job)["status"].get("succeeded", 0)
        return report

    def zeros(self, figures: Figures, when: str, job: str) -> dict[str, Any]:
        """Run ``verify``, which must find nothing; return its report."""
        report = self.verify(job)
        text = ", ".join(f"{name} {report[name]}" for name in DEFECTS)
        figures.note(f"verify {when}", f"{text}; {report['events_stored']:,} events stored")
        zeros = dict.fromkeys(DEFECTS, 0)
        assert {name: report[name] for name in DEFECTS} == zeros, report["examples"]
        assert report["exit"] == 1
        return report

    def stored(self) -> int:
        """Return how many events are stored; 0 while the database is away."""
        try:
            return int(self.sql("SELECT count(*) FROM raw.events")[0][0])
        except AssertionError:
            return 0

    def wait_for_more(self, before: int, what: str) -> float:
        """Wait until more events are stored than before; return how long it took."""
        return self.timed(lambda: self.stored() > before, what, 240)

    def kill(self, pod: str) -> None:
        """Kill a pod without a word."""
        self.cluster.kubectl("delete", "pod", pod, "--grace-period=1", "--wait=false")

    def remove(self) -> list[str]:
        """Take simulations away, then the release; return the claims that stay.

        Raises:
            AssertionError: An object of the release stays that is no claim.
        """
        cluster = self.cluster
        cluster.kubectl("delete", "css", "--all", "--timeout=60s")
        wait_until(lambda: not cluster.get("deployments", "-l", WORKER)["items"], "no workers", 60)
        cluster.helm("uninstall", RELEASE, "--wait", "--timeout", "3m")
        ours = "app.kubernetes.io/part-of=clickstream"
        words = ("api-resources", "--namespaced", "--verbs=list", "-o", "name")
        names = set(cluster.kubectl(*words).split())
        kinds = ",".join(names - {"persistentvolumeclaims", "events", "events.events.k8s.io"})

        def left() -> list[str]:
            return cluster.kubectl("get", kinds, "-l", ours, "-o", "name").split()

        # What goes with its owner goes a moment later.
        wait_until(lambda: not left(), "nothing of ours but claims", 90)
        claims = cluster.get("persistentvolumeclaims", "-l", ours)["items"]
        return [row["metadata"]["name"] for row in claims]

    def close(self) -> None:
        """Take the namespace away, with all that is in it."""
        self.cluster.kubectl(
            "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s"
        )
