"""The chart's stream: its pods are restricted, its processes accept their settings."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import documents
from clickstream_migrations import settings as migrations
from clickstream_streaming import settings as streaming

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXTERNAL = (
    "--set", "kafka.mode=external,kafka.external.bootstrapServers=kafka:9092",
    "--set", "kafka.external.existingSecret=user,kafka.external.existingCaSecret=ca",
    "--set", "postgres.mode=external,postgres.external.host=db",
    "--set", "postgres.external.owner.existingSecret=o,postgres.external.writer.existingSecret=w",
    "--set", "postgres.external.reader.existingSecret=r",
    "--set", "postgres.external.verifier.existingSecret=v",
)  # fmt: skip
MODES = {
    "external, driver": (*EXTERNAL, "--set", "spark.mode=driver"),
    "external, operator": (*EXTERNAL, "--set", "spark.mode=operator"),
    "own, driver": ("--set", "spark.mode=driver"),
    "own, operator": (),
}


def _rendered(helm: Callable[..., str], mode: str, *options: str) -> list[dict[str, Any]]:
    text = helm("template", "shop", "--namespace", "charts", *_apis(), *MODES[mode], *options)
    return documents(text)


def _apis() -> Iterator[str]:
    """Let Helm believe that the operators' kinds are there."""
    for name in (
        "kafka.strimzi.io/v1", "postgresql.cnpg.io/v1", "sparkoperator.k8s.io/v1beta2",
        "monitoring.coreos.com/v1",
    ):  # fmt: skip
        yield from ("--api-versions", name)


def _pods(rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every pod's specification, wherever it is written down."""
    for row in rows:
        name = f"{row['kind']} {row['metadata']['name']}"
        spec = row.get("spec", {})
        if row["kind"] == "Pod":
            yield name, spec
        elif row["kind"] == "CronJob":
            yield name, spec["jobTemplate"]["spec"]["template"]["spec"]
        elif row["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield name, spec["template"]["spec"]
        elif row["kind"] == "SparkApplication":
            for role in ("driver", "executor"):
                yield f"{name} {role}", spec[role]["template"]["spec"]
        elif "executor.yaml" in row.get("data", {}):
            yield f"{name} executor", yaml.safe_load(row["data"]["executor.yaml"])["spec"]


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", []), *spec["containers"]]


@pytest.mark.parametrize("mode", MODES)
def test_every_pod_is_restricted(helm: Callable[..., str], mode: str) -> None:
    """No pod of any mode asks for more than the restricted standard and a root that stays."""
    found = dict(_pods(_rendered(helm, mode)))
    assert any("executor" in name for name in found)
    for name, spec in found.items():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        allowed = {"configMap", "secret", "projected", "emptyDir", "persistentVolumeClaim"}
        assert all(row.keys() - {"name"} <= allowed for row in spec["volumes"]), name
        for container in _containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            image = container.get("image", "as the SparkApplication says:1")
            assert "@sha256:" in image or image.rpartition(":")[2][0].isdigit(), name


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_in_an_environment(helm: Callable[..., str], mode: str) -> None:
    """Secrets come as files: no variable is filled from one, and no failpoint can be set."""
    for name, spec in _pods(_rendered(helm, mode)):
        for container in _containers(spec):
            assert "envFrom" not in container, name
            for row in container.get("env", []):
                assert "secretKeyRef" not in row.get("valueFrom", {}), name
                assert "FAILPOINT" not in row["name"], name


@pytest.mark.parametrize("mode", MODES)
def test_processes_understand_what_the_chart_sets(helm: Callable[..., str], mode: str) -> None:
    """Each variable is one of the process's own and within its bounds; each file is mounted."""
    seen = set()
    for _, spec in _pods(_rendered(helm, mode)):
        for container in _containers(spec):
            mounts = [row["mountPath"] for row in container.get("volumeMounts", [])]
            values = {row["name"]: row.get("value", "") for row in container.get("env", [])}
            for variable, value in values.items():
                if variable.endswith("_FILE") and value:
                    assert any(value.startswith(mount + "/") for mount in mounts), variable
                    values[variable] = __file__
            if migrations.PREFIX + "POSTGRES_HOST" in values:
                migrations.settings_from(values)
                seen.add("migrations")
            elif streaming.PREFIX + "CHECKPOINT_DIR" in values:
                streaming.settings_from(values)
                seen.add("stream")
            elif streaming.PREFIX + "POSTGRES_HOST" in values:
                streaming.database_settings_from(values)
                seen.add("reader")
    assert seen == {"migrations", "stream", "reader"}


def test_only_driver_may_call_api(helm: Callable[..., str]) -> None:
    """The driver's rights are pods in its namespace; executors have no token."""
    rows = _rendered(helm, "external, driver")
    (role,) = (r for r in rows if r["kind"] == "Role" and r["metadata"]["name"] == "shop-streaming")
    assert [rule["resources"] for rule in role["rules"]] == [["pods"]]
    for name, spec in _pods(rows):
        is_ours = name in {"StatefulSet shop-streaming", "Deployment shop-operator"}
        assert spec["automountServiceAccountToken"] is is_ours, name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("kafka.external.bootstrapServers=a:1", "say kafka.mode=external"),
        ("kafka.mode=external", "needs kafka.external.bootstrapServers"),
        ("postgres.external.host=db", "say postgres.mode=external"),
        ("postgres.mode=none", "the stream needs a database"),
        ("spark.mode=none", "goes with postgres.mode=none only"),
        ("postgres.mode=external", "postgres.external.host must be set"),
        ("postgres.mode=external,postgres.external.host=db", "external.owner.existingSecret"),
        ("postgres.cnpg.student.existingSecret=s", "say postgres.studentLogin=true"),
        ("postgres.mode=none,spark.mode=none,postgres.studentLogin=true", "students read tables"),
    ],
)  # fmt: skip
def test_modes_that_contradict_are_refused(
    helm: Callable[..., str], values: str, says: str
) -> None:
    """What cannot work together fails when it is rendered, with a sentence."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", "shop", *_apis(), "--set", values)

    assert says in refused.value.stderr


@pytest.mark.parametrize(
    "changed",
    [
        "migrations.resources.limits.memory=333Mi",
        "migrations.image.pullPolicy=Always",
        "postgres.external.owner.existingSecret=another",
    ],
)
def test_changed_migrations_job_is_renamed(helm: Callable[..., str], changed: str) -> None:
    """A Job's pods cannot be changed: an upgrade that tries is refused."""
    one, other = (
        next(
            row
            for row in _rendered(helm, "external, driver", *options)
            if row["kind"] == "Job" and "migrations" in row["metadata"]["name"]
        )
        for options in ((), ("--set", changed))
    )

    assert one["spec"]["template"] != other["spec"]["template"]
    assert one["metadata"]["name"] != other["metadata"]["name"]


def _mounted_logins(spec: dict[str, Any]) -> set[str]:
    """Return the roles whose logins a pod has."""
    names = {volume["name"] for volume in spec["volumes"] if "secret" in volume}
    return {name.removeprefix("postgres-") for name in names if name != "postgres-ca"}


@pytest.mark.parametrize("mode", MODES)
def test_each_job_has_one_login(helm: Callable[..., str], mode: str) -> None:
    """The verification has the verifier's login alone, the rebuild the owner's."""
    found = dict(_pods(_rendered(helm, mode)))

    assert _mounted_logins(found["CronJob shop-verify"]) == {"verifier"}
    assert _mounted_logins(found["CronJob shop-rebuild"]) == {"owner"}


def test_migrations_make_each_login(helm: Callable[..., str]) -> None:
    """On a database of one's own the migrations get the logins that are to be made."""
    found = dict(_pods(_rendered(helm, "external, driver")))

    (job,) = (spec for name, spec in found.items() if name.startswith("Job shop-migrations"))
    assert _mounted_logins(job) == {"owner", "writer", "reader", "verifier"}


def _managed_roles(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the roles that CloudNativePG makes, in their order."""
    (cluster,) = (row for row in rows if row["kind"] == "Cluster")
    return {row["name"]: row for row in cluster["spec"]["managed"]["roles"]}


def test_cluster_makes_group_before_login(helm: Callable[..., str]) -> None:
    """CloudNativePG makes the verifier's group, which an older database lacks, before its login."""
    roles = _managed_roles(_rendered(helm, "own, driver"))

    names = list(roles)
    assert names.index("clickstream_verifier") < names.index("clickstream_verify")
    assert roles["clickstream_verifier"]["login"] is False
    assert roles["clickstream_verify"]["inRoles"] == ["clickstream_verifier", "clickstream_reader"]


def test_students_login_is_asked_for(helm: Callable[..., str]) -> None:
    """By default there is only the students' group; with the option a limited login of it."""
    without, with_login = (
        _rendered(helm, "own, driver", *options)
        for options in ((), ("--set", "postgres.studentLogin=true"))
    )

    assert set(_managed_roles(with_login)) - set(_managed_roles(without)) == {"clickstream_study"}
    login = _managed_roles(with_login)["clickstream_study"]
    assert (login["inRoles"], login["connectionLimit"]) == (["clickstream_student"], 20)
    secrets = {row["metadata"]["name"] for row in with_login if row["kind"] == "Secret"}
    assert login["passwordSecret"]["name"] in secrets


def test_migrations_make_students_login(helm: Callable[..., str]) -> None:
    """On an existing database the option needs a secret, which the migrations get."""
    asked = ("--set", "postgres.studentLogin=true")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        _rendered(helm, "external, driver", *asked)
    assert "postgres.external.student.existingSecret" in refused.value.stderr

    secret = ("--set", "postgres.external.student.existingSecret=s")
    found = dict(_pods(_rendered(helm, "external, driver", *asked, *secret)))
    (job,) = (spec for name, spec in found.items() if name.startswith("Job shop-migrations"))
    assert "student" in _mounted_logins(job)
