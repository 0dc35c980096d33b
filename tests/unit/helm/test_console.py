"""The console in the chart: off by default; restricted, and understood, where it is on."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from charts import documents
from clickstream_console import settings
from clickstream_console.settings import settings_from
from clickstream_contract.environment import text

if TYPE_CHECKING:
    from collections.abc import Callable

ON = ("--set", "console.enabled=true")
KAFKA = ("--set", "kafka.mode=external", "--set", "kafka.external.bootstrapServers=kafka:9092")


def _console(helm: Callable[..., str], *options: str) -> dict[str, dict[str, Any]]:
    rows = documents(helm("template", "shop", "--namespace", "charts", *KAFKA, *options))
    return {row["kind"]: row for row in rows if row["metadata"]["name"] == "shop-console"}


def test_it_is_off_unless_asked_for(helm: Callable[..., str]) -> None:
    """Without the switch there is none of it; without a database it is refused."""
    assert _console(helm) == {}
    assert set(_console(helm, *ON)) == {"Deployment", "Service", "NetworkPolicy"}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _console(helm, *ON, "--set", "postgres.mode=none,spark.mode=none")
    assert "console.enabled" in refused.value.stderr


def test_console_understands_chart_settings(
    helm: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each variable is a setting of the console and within its bounds; the password is a file."""
    monkeypatch.setitem(settings._READERS, "postgres_password_file", text)
    for name in ("postgres_user_file", "postgres_ca_file"):
        monkeypatch.setitem(settings._READERS, name, text)
    rows = _console(helm, *ON, "--set", "console.hosts={shop.example}")
    (container,) = rows["Deployment"]["spec"]["template"]["spec"]["containers"]
    environment = {row["name"]: row.get("value", "10.0.0.7") for row in container["env"]}
    hosts = "CLICKSTREAM_CONSOLE_ALLOWED_HOSTS"
    environment[hosts] = environment[hosts].replace("$(POD_IP)", environment["POD_IP"])

    read = settings_from(environment)

    assert {"localhost", "10.0.0.7", "shop-console.charts.svc", "shop.example"} <= set(read.hosts)
    assert str(read.postgres_password_file) == "/etc/postgres-reader/password"
    assert [read.port, read.metrics_port] == [row["containerPort"] for row in container["ports"]]
    assert (read.max_live_streams_per_peer, read.max_connections_per_peer) == (8, 64)
    assert read.operator_url == "http://shop-operator.charts.svc:9403/metrics"


def test_console_reaches_the_operators_metrics(helm: Callable[..., str]) -> None:
    """The operator has a Service where the console is on, and the console's policy its port."""
    rows = documents(helm("template", "shop", "--namespace", "charts", *KAFKA, *ON))
    (service,) = (
        row["spec"] for row in rows
        if (row["kind"], row["metadata"]["name"]) == ("Service", "shop-operator")
    )  # fmt: skip
    egress = _console(helm, *ON)["NetworkPolicy"]["spec"]["egress"]
    (peer,) = (row["to"][0] for row in egress if row["ports"][0]["port"] == 9403)

    assert peer == {"podSelector": {"matchLabels": service["selector"]}}
    assert [row["port"] for row in service["ports"]] == [9403]


def test_only_named_peers_reach_it(helm: Callable[..., str]) -> None:
    """No pod reaches the page but those that the values name; its health is on another port."""
    peer = "console.from[0].podSelector.matchLabels.app=proxy"
    closed = _console(helm, *ON)["NetworkPolicy"]["spec"]["ingress"]
    opened = _console(helm, *ON, "--set", peer)["NetworkPolicy"]["spec"]["ingress"]

    assert closed == [{"ports": [{"protocol": "TCP", "port": "metrics"}]}]
    assert opened == [
        *closed,
        {
            "from": [{"podSelector": {"matchLabels": {"app": "proxy"}}}],
            "ports": [{"protocol": "TCP", "port": "http"}],
        },
    ]
    (container,) = _console(helm, *ON)["Deployment"]["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")]
    assert {probe["port"] for probe in probes} == {"metrics"}


def test_its_pod_is_restricted(helm: Callable[..., str]) -> None:
    """No privilege, no token, no writable root, and only the reader's secret."""
    spec = _console(helm, *ON)["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {row["name"] for row in spec["volumes"]} == {"postgres-reader", "postgres-ca"}
