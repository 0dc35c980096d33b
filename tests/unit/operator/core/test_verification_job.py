"""The objects of a verification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clickstream_contract.verification import Verification
from clickstream_operator.core.broker import Broker
from clickstream_operator.core.database import Database
from clickstream_operator.core.desired import Owner
from clickstream_operator.core.pod import pod_spec
from clickstream_operator.core.verification_job import job, job_name, surroundings
from clusters import SETTINGS, simulation

_OWNER = Owner("shop", "load", "6f1b2c3d-0000-4000-8000-000000000001")
_DATABASE = Database.model_validate(
    {"host": "db.data", "port": 5433, "name": "shop", "secret": "user", "caSecret": "ca"}
)
_SETTINGS = replace(SETTINGS, credentials_secret="kafka-user", ca_secret="kafka-ca")  # noqa: S106  names
_BROKER = Broker(simulation().spec.kafka, _SETTINGS)
_STARTED = 1_795_766_400


def _asked(**mapping: Any) -> Verification:  # noqa: ANN401  any value of YAML
    database = {"host": "db.data", "name": "shop", "credentialsSecretRef": {"name": "user"}}
    more = {"mapping": mapping, "database": database} if mapping else {}
    return Verification.model_validate({"every": "10m", **more})


def _pod(**mapping: Any) -> dict[str, Any]:  # noqa: ANN401  any value of YAML
    found = job(_asked(**mapping), _OWNER, _STARTED, _BROKER, _DATABASE, _SETTINGS)
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def _mounted(container: dict[str, Any]) -> set[str]:
    return {row["name"] for row in container["volumeMounts"]}


def test_each_container_has_its_own_secrets() -> None:
    """The reader of Kafka has no password of the database, and the judge none of Kafka."""
    (record,), (judge,) = _pod()["initContainers"], _pod()["containers"]

    assert _mounted(record) == {"kafka-user", "kafka-ca", "truth", "tmp"}
    assert _mounted(judge) == {"database-user", "database-ca", "truth", "tmp"}
    secrets = {row["name"] for row in _pod()["volumes"] if "secret" in row}
    assert secrets == {"kafka-user", "kafka-ca", "database-user", "database-ca"}
    for row in (*record["volumeMounts"], *judge["volumeMounts"]):
        assert row.get("readOnly") or row["name"] == "tmp" or row in record["volumeMounts"]
    assert not any("valueFrom" in row for row in record["env"])
    assert "env" not in judge


def test_pod_has_the_workers_limits() -> None:
    """The pod has the image and the security of a worker, ends by itself and is never repeated."""
    worker = pod_spec(_OWNER.uid, "2026-11-27T08:00:00Z", "c", (0,), _BROKER, None, _SETTINGS)
    pod, row = _pod(), job(_asked(), _OWNER, _STARTED, _BROKER, _DATABASE, _SETTINGS)

    assert (row["spec"]["backoffLimit"], row["spec"]["activeDeadlineSeconds"]) == (0, 3_600)
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"] == worker["securityContext"]
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == worker["containers"][0]["securityContext"]
        assert container["image"] == worker["containers"][0]["image"]
        assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}


def test_mapping_is_a_file() -> None:
    """A mapping is mounted, from the simulation's ConfigMap or a named one, and no command."""
    text = "result: {engine: postgres}"
    inline, named = _pod(inline=text), _pod(configMapRef={"name": "mine"})

    def volume(pod: dict[str, Any]) -> str:
        return str(next(row["configMap"]["name"] for row in pod["volumes"] if "configMap" in row))

    assert (volume(inline), volume(named)) == ("shop-verification", "mine")
    for pod in (inline, named):
        assert pod["containers"][0]["args"][0] == "/etc/mapping/mapping.yaml"
        assert text not in str(pod)
        assert not any("--keeps" in row for row in pod["containers"][0]["args"])
    (made, _policy) = surroundings(_asked(inline=text), _OWNER, _BROKER, _DATABASE)
    assert made["data"] == {"mapping.yaml": text}
    (policy,) = surroundings(_asked(configMapRef={"name": "m"}), _OWNER, _BROKER, _DATABASE)
    assert policy["kind"] == "NetworkPolicy"


def test_policy_opens_two_ways() -> None:
    """The pod reaches names, Kafka and the database, and nothing reaches the pod."""
    (policy,) = surroundings(_asked(), _OWNER, _BROKER, _DATABASE)

    spec = policy["spec"]
    ports = [[row["port"] for row in way["ports"]] for way in spec["egress"]]
    assert ports == [[53, 53], [9092], [5433]]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    labels = job(_asked(), _OWNER, _STARTED, _BROKER, _DATABASE, _SETTINGS)["spec"]["template"]
    chosen = spec["podSelector"]["matchLabels"]
    assert chosen.items() <= labels["metadata"]["labels"].items()


def test_long_names_differ() -> None:
    """Jobs of two times, and of two simulations with a long name, have names of 63 letters."""
    names = {
        job_name(Owner("a" * 62 + last, "load", "uid"), _STARTED + later)
        for last in "bc" for later in (0, 60)
    }  # fmt: skip

    assert len(names) == 4
    assert max(map(len, names)) == 63
