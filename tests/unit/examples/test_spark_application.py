"""The SparkApplication of spark-windows: its pods, secrets and variables."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pyspark
import pytest
from charts import documents, pods
from services import ROOT
from spark_operator import submit_arguments

FOLDER = ROOT / "examples" / "pipelines" / "spark-windows"
ROWS = documents((FOLDER / "spark-application.yaml").read_text(encoding="utf-8"))
PODS = {place.rpartition("/")[2]: pod["spec"] for place, pod in pods(ROWS)}
SPEC = next(row["spec"] for row in ROWS if row["kind"] == "SparkApplication")


def _container(role: str) -> dict[str, Any]:
    (container,) = PODS[role]["containers"]
    found: dict[str, Any] = container
    return found


@pytest.mark.parametrize("role", ["driver", "executor"])
def test_pods_are_restricted(role: str) -> None:
    """Each pod has the rights of Kubernetes' restricted standard, and a read-only root."""
    spec, container = PODS[role], _container(role)

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is (role == "driver")


def test_executor_has_no_password() -> None:
    """Only the driver mounts the database's secret; the executors get what Spark passes on."""
    mounts = {
        role: {row["name"] for row in _container(role)["volumeMounts"]}
        for role in ("driver", "executor")
    }

    assert mounts["driver"] - mounts["executor"] == {"postgres"}
    assert mounts["executor"] == {"kafka", "checkpoints", "tmp"}


def test_state_is_shared() -> None:
    """All pods have the checkpoints on a volume that several nodes can mount."""
    claim = next(row for row in ROWS if row["kind"] == "PersistentVolumeClaim")
    claims = {
        row["persistentVolumeClaim"]["claimName"]
        for spec in PODS.values()
        for row in spec["volumes"]
        if "persistentVolumeClaim" in row
    }

    assert claims == {claim["metadata"]["name"]}
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_driver_has_all_variables() -> None:
    """The driver sets each variable that windows.py needs, and no other; none is a password."""
    tree = ast.parse((FOLDER / "windows.py").read_text(encoding="utf-8"))
    read = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper()
    }
    names = {row["name"]: row for row in _container("driver")["env"]}

    assert names.keys() <= {name for name in read if name.replace("_", "").isalpha()}
    assert {"KAFKA_SERVERS", "KAFKA_TOPIC", "PGHOST", "PGPASSWORD_FILE"} <= names.keys()
    assert "valueFrom" in names["PGUSER"]
    assert "PGPASSWORD" not in names


def test_image_has_the_script() -> None:
    """The manifest starts what the Dockerfile copies, on the Spark of the project's image."""
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")

    assert SPEC["mainApplicationFile"] == "local:///opt/windows.py"
    assert "windows.py /opt/" in dockerfile
    assert SPEC["sparkVersion"] == pyspark.__version__
    assert SPEC["image"] == "IMAGE"
    assert "s|image: IMAGE|" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_operator_submits_it() -> None:
    """The Spark operator makes a command of it, and its webhook refuses nothing."""
    row = next(row for row in ROWS if row["kind"] == "SparkApplication")
    given = {**row, "metadata": {**row["metadata"], "namespace": "shop", "uid": "u-1"}}
    templates = {role: Path(f"/{role}.yaml") for role in ("driver", "executor")}
    words = submit_arguments(given, "s-1", "k8s://https://there:6443", templates)

    assert words[-1] == "local:///opt/windows.py"
    assert "spark.kubernetes.authenticate.driver.serviceAccountName=spark-windows" in words
