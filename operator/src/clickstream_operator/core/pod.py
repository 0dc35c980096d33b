"""The pod of a worker: restricted, limited, with probes, and the same for every simulation.

The rights and limits of a pod come only from the operator's settings. The simulation contributes
its identity, its shards and the address of its Kafka, as values and never as a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_operator.core.shards import format_shards

if TYPE_CHECKING:
    from clickstream_operator.core.broker import Broker
    from clickstream_operator.core.kinds import Object
    from clickstream_operator.core.registry import Registry
    from clickstream_operator.core.secret_files import SecretFiles
    from clickstream_operator.settings import Settings

__all__ = ["METRICS_PORT", "container_security", "pod_base", "pod_spec"]

METRICS_PORT = 9401
_USER_ID = 65_532
_GRACE_SECONDS = 5
"""The time for the process to end after it has waited for acknowledgements."""


def pod_spec(
    run_id: str,
    start_time: str,
    config_map: str,
    shards: tuple[int, ...],
    broker: Broker,
    registry: Registry | None,
    settings: Settings,
) -> Object:
    """Return a pod's spec.

    Args:
        run_id: The run, a UUID.
        start_time: When the run's live part begins, RFC 3339.
        config_map: The ConfigMap with the simulation's file.
        shards: The shards that the pod carries.
        broker: The Kafka that receives the events.
        registry: The registry of the events' schema, if there is one.
        settings: The operator's settings.
    """
    secrets = (*broker.secrets(), *(registry.secrets() if registry else ()))
    environment = _environment(run_id, start_time, shards, broker, registry, settings)
    return pod_base(settings) | {
        "terminationGracePeriodSeconds": settings.drain_seconds + _GRACE_SECONDS,
        "containers": [_container(environment, secrets, settings)],
        "volumes": [
            {"name": "simulation", "configMap": {"name": config_map}},
            *(row.as_volume() for row in secrets),
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def pod_base(settings: Settings) -> Object:
    """Return the part of a pod's spec that every pod has: no token, no root."""
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER_ID,
            "runAsGroup": _USER_ID,
            "fsGroup": _USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if settings.image_pull_secret:
        spec["imagePullSecrets"] = [{"name": settings.image_pull_secret}]
    return spec


def container_security() -> Object:
    """Return the security context of every container."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def _container(
    environment: list[Object], secrets: tuple[SecretFiles, ...], settings: Settings
) -> Object:
    return {
        "name": "generator",
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "env": environment,
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "resources": {
            "requests": {
                "cpu": settings.worker_cpu_request,
                "memory": settings.worker_memory_request,
            },
            "limits": {
                "cpu": settings.worker_cpu_limit,
                "memory": settings.worker_memory_limit,
            },
        },
        "securityContext": container_security(),
        # A worker is alive at once, but it needs a while to find its shards' positions.
        "startupProbe": _probe("/healthz", 2, 60),
        "livenessProbe": _probe("/healthz", 10, 6),
        "readinessProbe": _probe("/readyz", 2, 3),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "simulation", "mountPath": "/etc/clickstream", "readOnly": True},
            *(row.as_mount() for row in secrets),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own
        ],
    }


def _environment(
    run_id: str,
    start_time: str,
    shards: tuple[int, ...],
    broker: Broker,
    registry: Registry | None,
    settings: Settings,
) -> list[Object]:
    values = {
        "SIMULATION_FILE": "/etc/clickstream/simulation.yaml",
        "BOOTSTRAP_SERVERS": broker.servers,
        "RUN_ID": run_id,
        "START_TIME": start_time,
        "SHARDS": format_shards(shards),
        "METRICS_HOST": "0.0.0.0",  # noqa: S104  the pod's own address is not known before
        "METRICS_PORT": str(METRICS_PORT),
        "ON_STOP": "pause",
        "ON_END": "wait",
        "QUEUE_RECORDS": str(settings.queue_records),
        "DRAIN_SECONDS": str(settings.drain_seconds),
        **broker.environment(settings.sasl_mechanism),
        **(registry.environment() if registry else {}),
    }
    return [
        {"name": f"CLICKSTREAM_GENERATOR_{name}", "value": value} for name, value in values.items()
    ]


def _probe(path: str, period_seconds: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
