"""A real API server with its controllers, on loopback, for tests and benches.

Owns starting and ending them. The programs are those of ``KUBEBUILDER_ASSETS``, if the controllers
are among them, else :mod:`go_programs` has them. There is no node: pods stay pending.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import trustme
import yaml
from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess

from clickstream_bench.go_programs import go_program

__all__ = ["ROOT", "ControlPlane", "OperatorProcess", "find_programs"]

ROOT = Path(__file__).parents[3]
_START_SECONDS = 120.0
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
_OPERATOR = "system:serviceaccount:clickstream-system:clickstream-operator"
_NAMESPACED = "system:serviceaccount:charts:shop-operator"


def find_programs(folder: Path) -> Path:
    """Return a folder with the programs; missing ones are built."""
    assets = os.environ.get("KUBEBUILDER_ASSETS", "")
    if assets and all((Path(assets) / name).is_file() for name in _PROGRAMS):
        return Path(assets)
    (folder / "etcd").symlink_to(go_program("etcd"))
    for name in _PROGRAMS[1:]:
        (folder / name).symlink_to(go_program("kube"))
    return folder


def _wide_rights() -> list[dict[str, Any]]:
    """Return the operator's rights in the whole cluster: each test has a separate namespace."""
    text = (ROOT / "k8s" / "operator" / "rbac.yaml").read_text(encoding="utf-8")
    narrow = [row for row in yaml.safe_load_all(text) if "Role" in row["kind"]]
    seen = [("", "namespaces"), ("apiextensions.k8s.io", "customresourcedefinitions")]
    more = [
        {"apiGroups": [group], "resources": [kind], "verbs": ["list", "watch"]}
        for group, kind in seen
    ]
    wide = []
    for row in narrow:
        metadata = {"name": row["metadata"]["name"]}
        changed = {**row, "kind": f"Cluster{row['kind']}", "metadata": metadata}
        if "rules" in row:
            changed["rules"] = [*row["rules"], *more]
        else:
            changed["roleRef"] = {**row["roleRef"], "kind": "ClusterRole"}
        wide.append(changed)
    return wide


class ControlPlane:
    """etcd, API server and controllers."""

    def __init__(self, folder: Path) -> None:
        """Start them and wait until they serve."""
        self._folder = folder
        self._programs = find_programs(folder)
        self._port = free_port()
        self._processes: list[ServiceProcess] = []
        self._tokens = {
            "admin": "admin-token",
            "operator": "operator-token",
            "namespaced": "namespaced-token",
        }
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        key = self._folder / "accounts.key"
        trustme.CA(key_type=trustme.KeyType.RSA).private_key_pem.write_to_path(str(key))
        tokens = self._folder / "tokens.csv"
        tokens.write_text(
            f"{self._tokens['admin']},admin,1,system:masters\n"
            f"{self._tokens['operator']},{_OPERATOR},2,system:serviceaccounts\n"
            f"{self._tokens['namespaced']},{_NAMESPACED},3,system:serviceaccounts\n",
            encoding="utf-8",
        )
        client, peer = free_port(), free_port()
        self._run(
            "etcd", "--data-dir", str(self._folder / "etcd-data"), "--unsafe-no-fsync",
            "--listen-client-urls", f"http://127.0.0.1:{client}",
            "--advertise-client-urls", f"http://127.0.0.1:{client}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--log-level", "warn",
        )  # fmt: skip
        self._server = self._run(
            "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1", f"--secure-port={self._port}",
            f"--cert-dir={self._folder / 'certificates'}", f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC", "--disable-admission-plugins=ServiceAccount",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://tests", "--service-cluster-ip-range=10.0.0.0/24",
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            "--shutdown-delay-duration=0s",
        )  # fmt: skip
        self._server.wait_until(lambda: self._get("/readyz") == "ok", _START_SECONDS)
        self._run(
            "kube-controller-manager", f"--kubeconfig={self.kubeconfig('admin')}",
            "--leader-elect=false", f"--secure-port={free_port()}", "--bind-address=127.0.0.1",
            f"--cert-dir={self._folder / 'controllers'}",
            "--concurrent-deployment-syncs=10", "--kube-api-qps=200", "--kube-api-burst=400",
        )  # fmt: skip
        self.kubectl("apply", "--server-side", "-k", str(ROOT / "k8s"))
        self.kubectl("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(_wide_rights()))
        self.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")

    def _run(self, program: str, *arguments: str) -> ServiceProcess:
        command = [str(self._programs / program), *arguments]
        log = self._folder / f"{program}.log"
        started = ServiceProcess.start(program, command, log, dict(os.environ))
        self._processes.append(started)
        return started

    def stop(self) -> None:
        """Leave no process behind."""
        for process in reversed(self._processes):
            process.stop()

    def kubeconfig(self, user: str) -> Path:
        """Return a configuration file for ``admin``, the ``operator`` or a ``namespaced`` one."""
        path = self._folder / f"{user}.kubeconfig"
        cluster = {
            "server": f"https://127.0.0.1:{self._port}",
            # The API server makes it and signs it itself.
            "certificate-authority": str(self._folder / "certificates" / "apiserver.crt"),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def kubectl(
        self, *arguments: str, given: object = None, text: str = "", user: str = "admin"
    ) -> str:
        """Run kubectl, with an object or a text as its input; return what it prints.

        Raises:
            subprocess.CalledProcessError: It failed; ``stderr`` says why.
        """
        return subprocess.run(
            [
                str(self._programs / "kubectl"),
                f"--kubeconfig={self.kubeconfig(user)}",
                f"--cache-dir={self._folder / 'cache'}",
                *arguments,
            ],
            input=text if given is None else json.dumps(given),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def serve(self, definitions: Path) -> None:
        """Apply a folder of resource definitions, and wait until their kinds are served."""
        self.kubectl("apply", "--server-side", "-R", "-f", str(definitions))
        self._server.wait_until(self._are_established, _START_SECONDS)

    def _are_established(self) -> bool:
        """Return whether every definition is; ``kubectl wait`` gives up on one without a status."""
        return all(
            any(
                condition["type"] == "Established" and condition["status"] == "True"
                for condition in row.get("status", {}).get("conditions") or []
            )
            for row in self.get("crd")["items"]
        )

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what ``kubectl get`` finds."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def writes(self) -> dict[str, float]:
        """Return how many writes the API server has taken, by kind, of what the operator writes."""
        counts: dict[str, float] = {}
        for line in self._get("/metrics").splitlines():
            if line.startswith("apiserver_request_total{") and any(
                f'verb="{verb}"' in line for verb in ("APPLY", "PATCH", "POST", "PUT", "DELETE")
            ):
                kind = line.partition('resource="')[2].partition('"')[0]
                counts[kind] = counts.get(kind, 0.0) + float(line.rpartition(" ")[2])
        # Leave out the writes of the cluster's controllers.
        ours = (
            "clickstreamsimulations", "configmaps", "deployments", "events", "networkpolicies",
            "poddisruptionbudgets", "pods", "services",
        )  # fmt: skip
        return {kind: counts.get(kind, 0.0) for kind in ours}

    def _get(self, path: str) -> str:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self._port}{path}",
            headers={"Authorization": f"Bearer {self._tokens['admin']}"},
        )
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""


class OperatorProcess:
    """The operator, as a process with the rights of its service account."""

    def __init__(
        self, plane: ControlPlane, folder: Path, user: str = "operator", **settings: object
    ) -> None:
        """Start it as one of the plane's users."""
        self._port = free_port()
        named = {
            "image": "registry.example/generator:1.0",
            "namespaces": "*",
            "bootstrap_servers": "kafka:9092",
            "metrics_port": self._port,
            "resync_seconds": 1,
            **settings,
        }
        self.log = folder / "operator.log"
        self.process = ServiceProcess.start(
            "operator",
            [sys.executable, "-m", "clickstream_operator"],
            self.log,
            {
                **os.environ,
                "KUBECONFIG": str(plane.kubeconfig(user)),
                **{f"CLICKSTREAM_OPERATOR_{name.upper()}": str(row) for name, row in named.items()},
            },
        )

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric, summed over its other labels; 0 while there is none."""
        try:
            url = f"http://127.0.0.1:{self._port}/metrics"
            with urllib.request.urlopen(url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return 0.0
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"clickstream_operator_{name}{{", f"clickstream_operator_{name} "))
            and all(f'{label}="{value}"' in line for label, value in labels.items())
        )

    def kill(self) -> None:
        """Kill it without a word."""
        self.process.process.kill()
        self.process.process.wait()

    def stop(self) -> int:
        """Let it end, and return its exit code."""
        self.process.process.terminate()
        return self.process.process.wait(60)
