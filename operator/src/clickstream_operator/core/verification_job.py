"""The objects of a verification: its Job, its NetworkPolicy and the ConfigMap of its mapping.

The Job has the generator's image, which makes the events again exactly as the workers made them.
Its first container reads run record and ledger from Kafka, its second compares them with the
tables; neither has the secrets of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.verification import MAPPING_KEY

from clickstream_operator.core.desired import (
    MANAGED_BY,
    child_metadata,
    child_name,
    with_digest,
)
from clickstream_operator.core.observed import COMPONENT_LABEL, SIMULATION_LABEL, VERIFICATION
from clickstream_operator.core.pod import container_security, pod_base

if TYPE_CHECKING:
    from clickstream_contract.verification import Verification

    from clickstream_operator.core.broker import Broker
    from clickstream_operator.core.database import Database
    from clickstream_operator.core.desired import Owner
    from clickstream_operator.core.kinds import Object
    from clickstream_operator.settings import Settings

__all__ = ["job", "job_name", "surroundings"]

_PYTHON = "/opt/clickstream/bin/python"
_TRUTH = "/truth/run"


def job_name(owner: Owner, started: int) -> str:
    """Return the name of the Job of the verification that began then, Unix seconds."""
    return child_name(owner, f"verification-{started}")


def surroundings(
    asked: Verification, owner: Owner, broker: Broker, database: Database
) -> list[Object]:
    """Return what must be there before the Job: the mapping and the policy."""
    rows = []
    if asked.mapping is not None and asked.mapping.inline is not None:
        rows.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": child_metadata(owner, child_name(owner, VERIFICATION), VERIFICATION),
                "data": {MAPPING_KEY: asked.mapping.inline},
            }
        )
    rows.append(_network_policy(owner, broker, database))
    return [with_digest(row) for row in rows]


def job(
    asked: Verification,
    owner: Owner,
    started: int,
    broker: Broker,
    database: Database,
    settings: Settings,
) -> Object:
    """Return the Job of one verification.

    Args:
        asked: The simulation's ``spec.verification``.
        owner: The simulation.
        started: When it begins, Unix seconds.
        broker: The Kafka that has the ledger.
        database: The database that has the tables.
        settings: The operator's settings.
    """
    metadata = child_metadata(owner, job_name(owner, started), VERIFICATION)
    labels = dict(metadata["labels"])
    row = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            # The next verification is the next attempt.
            "backoffLimit": 0,
            "activeDeadlineSeconds": settings.verification_seconds,
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod_spec(asked, owner, broker, database, settings),
            },
        },
    }
    return with_digest(row)


def _pod_spec(
    asked: Verification, owner: Owner, broker: Broker, database: Database, settings: Settings
) -> Object:
    mapping = _mapping_volume(asked, owner)
    secrets = (*broker.secrets(), *database.secrets())
    truth: Object = {"name": "truth", "mountPath": "/truth"}
    tmp = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  the pod's own
    record = {
        "name": "record",
        "command": [_PYTHON, "-m", "clickstream_generator.record_command"],
        "args": [broker.servers, f"--truth={_TRUTH}", f"--run-id={owner.uid}"],
        "env": [
            {"name": f"CLICKSTREAM_GENERATOR_{name}", "value": value}
            for name, value in broker.environment(settings.sasl_mechanism).items()
        ],
        "volumeMounts": [*(row.as_mount() for row in broker.secrets()), truth, tmp],
    }
    judge = {
        "name": "judge",
        "command": [_PYTHON, "-m", "clickstream_judge.command"],
        "args": [
            *([f"/etc/mapping/{MAPPING_KEY}"] if mapping else []),
            f"--truth={_TRUTH}",
            *database.options(),
            # A mapping says it itself: its tables of sums have no such limit.
            *([] if mapping else [database.keeps()]),
            "--summary=/dev/termination-log",
        ],
        "volumeMounts": [
            *([{"name": "mapping", "mountPath": "/etc/mapping", "readOnly": True}]
              if mapping else []),
            *(row.as_mount() for row in database.secrets()),
            {**truth, "readOnly": True},
            tmp,
        ],
    }  # fmt: skip
    return pod_base(settings) | {
        "restartPolicy": "Never",
        "initContainers": [_container(record, settings)],
        "containers": [_container(judge, settings)],
        "volumes": [
            *mapping,
            *(row.as_volume() for row in secrets),
            {"name": "truth", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _container(row: Object, settings: Settings) -> Object:
    """Return a container with what both have in common."""
    return {
        **row,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "resources": {
            "requests": {
                "cpu": settings.verification_cpu_request,
                "memory": settings.verification_memory_request,
            },
            "limits": {
                "cpu": settings.verification_cpu_limit,
                "memory": settings.verification_memory_limit,
            },
        },
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _mapping_volume(asked: Verification, owner: Owner) -> list[Object]:
    """Return the volume with the mapping; none for the project's own events."""
    if asked.mapping is None:
        return []
    reference = asked.mapping.config_map_ref
    name = child_name(owner, VERIFICATION) if reference is None else reference.name
    items = [{"key": MAPPING_KEY, "path": MAPPING_KEY}]
    # A missing ConfigMap does not stop the pod from starting: the judge names the missing file.
    source = {"name": name, "optional": True, "items": items}
    return [{"name": "mapping", "configMap": source}]


def _network_policy(owner: Owner, broker: Broker, database: Database) -> Object:
    """Return the policy that allows DNS, Kafka and the database out, and nothing in."""
    kafka: Object = {"ports": [{"protocol": "TCP", "port": port} for port in broker.ports()]}
    if broker.cluster:
        kafka["to"] = [{"podSelector": {"matchLabels": {"strimzi.io/cluster": broker.cluster}}}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(owner, child_name(owner, VERIFICATION), VERIFICATION),
        "spec": {
            "podSelector": {
                "matchLabels": {
                    **MANAGED_BY,
                    SIMULATION_LABEL: owner.name,
                    COMPONENT_LABEL: VERIFICATION,
                }
            },
            "policyTypes": ["Ingress", "Egress"],
            "egress": [
                {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
                kafka,
                {"ports": [{"protocol": "TCP", "port": database.port}]},
            ],
        },
    }
