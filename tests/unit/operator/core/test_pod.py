"""The specification of a worker's pod."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clickstream_operator.core.broker import Broker
from clickstream_operator.core.pod import METRICS_PORT, pod_spec
from clickstream_operator.core.registry import Registry
from clusters import SETTINGS, simulation

if TYPE_CHECKING:
    from clickstream_operator.settings import Settings


def _spec(
    settings: Settings = SETTINGS, registry: Registry | None = None, **kafka: object
) -> dict[str, Any]:
    broker = Broker(simulation(kafka=kafka).spec.kafka, settings)
    return pod_spec(
        "run", "2026-11-27T08:00:00Z", "shop-simulation", (0, 1, 2, 7), broker, registry, settings
    )


def _environment(spec: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["value"] for row in spec["containers"][0]["env"]}


def test_registry_comes_as_files() -> None:
    """A pod has the registry's settings and the files of its secrets, after those of Kafka."""
    registry = Registry.model_validate(
        {"name": "main", "url": "https://r", "credentialsSecret": "login"}
    )
    spec = _spec(registry=registry, caSecretRef={"name": "my-ca"}, bootstrapServers="k:1")
    (container,) = spec["containers"]

    assert _environment(spec)["CLICKSTREAM_GENERATOR_REGISTRY"] == "https://r"
    assert [row["name"] for row in spec["volumes"]] == [
        "simulation", "kafka-ca", "registry-user", "tmp",
    ]  # fmt: skip
    mounts = [row["mountPath"] for row in container["volumeMounts"]]
    assert mounts[1:3] == ["/etc/kafka-ca", "/etc/registry-user"]


def test_pod_is_restricted() -> None:
    """The whole specification is fixed, but for identity, shards and Kafka's address."""
    environment = {
        "SIMULATION_FILE": "/etc/clickstream/simulation.yaml",
        "BOOTSTRAP_SERVERS": "kafka:9092",
        "RUN_ID": "run",
        "START_TIME": "2026-11-27T08:00:00Z",
        "SHARDS": "0-2,7",
        "METRICS_HOST": "0.0.0.0",  # noqa: S104  the pod's own address is not known before
        "METRICS_PORT": "9401",
        "ON_STOP": "pause",
        "ON_END": "wait",
        "QUEUE_RECORDS": "200000",
        "DRAIN_SECONDS": "25",
        "SECURITY_PROTOCOL": "PLAINTEXT",
    }

    assert _spec() == {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65_532,
            "runAsGroup": 65_532,
            "fsGroup": 65_532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "generator",
                "image": "registry.example/clickstream-generator:1.0.0",
                "imagePullPolicy": "IfNotPresent",
                "env": [
                    {"name": f"CLICKSTREAM_GENERATOR_{name}", "value": value}
                    for name, value in environment.items()
                ],
                "ports": [{"name": "metrics", "containerPort": 9_401, "protocol": "TCP"}],
                "resources": {
                    "requests": {"cpu": "250m", "memory": "512Mi"},
                    "limits": {"cpu": "2", "memory": "1Gi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "startupProbe": _probe("/healthz", 2, 60),
                "livenessProbe": _probe("/healthz", 10, 6),
                "readinessProbe": _probe("/readyz", 2, 3),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [
                    {"name": "simulation", "mountPath": "/etc/clickstream", "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own
                ],
            }
        ],
        "volumes": [
            {"name": "simulation", "configMap": {"name": "shop-simulation"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }
    assert METRICS_PORT == 9_401


def _probe(path: str, period_seconds: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def test_settings_fill_the_pod() -> None:
    """Image, pull policy, resources and times come from the operator's settings."""
    spec = _spec(
        replace(
            SETTINGS,
            image="other:2",
            image_pull_policy="Always",
            worker_cpu_request="1",
            worker_cpu_limit="3",
            worker_memory_request="1Mi",
            worker_memory_limit="2Mi",
            queue_records=5,
            drain_seconds=40,
        )
    )

    (container,) = spec["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("other:2", "Always")
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "1Mi"}, "limits": {"cpu": "3", "memory": "2Mi"},
    }  # fmt: skip
    assert spec["terminationGracePeriodSeconds"] == 45
    assert _environment(spec)["CLICKSTREAM_GENERATOR_QUEUE_RECORDS"] == "5"
    assert _environment(spec)["CLICKSTREAM_GENERATOR_DRAIN_SECONDS"] == "40"


def test_pull_secret_is_optional() -> None:
    """The secret for the image is named only if there is one."""
    assert "imagePullSecrets" not in _spec()
    assert _spec(replace(SETTINGS, image_pull_secret="pull"))["imagePullSecrets"] == [  # noqa: S106  a secret's name
        {"name": "pull"}
    ]


def test_broker_secrets_are_mounted() -> None:
    """What reaches Kafka is mounted as files, with the mechanism of the settings."""
    spec = _spec(
        replace(SETTINGS, sasl_mechanism="PLAIN"),
        bootstrapServers="elsewhere:9092",
        credentialsSecretRef={"name": "user"},
        caSecretRef={"name": "ca"},
    )

    assert [row["name"] for row in spec["volumes"]] == [
        "simulation", "kafka-ca", "kafka-user", "tmp",
    ]  # fmt: skip
    assert [row["name"] for row in spec["containers"][0]["volumeMounts"]] == [
        "simulation", "kafka-ca", "kafka-user", "tmp",
    ]  # fmt: skip
    environment = _environment(spec)
    assert environment["CLICKSTREAM_GENERATOR_BOOTSTRAP_SERVERS"] == "elsewhere:9092"
    assert environment["CLICKSTREAM_GENERATOR_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert environment["CLICKSTREAM_GENERATOR_SASL_MECHANISM"] == "PLAIN"
