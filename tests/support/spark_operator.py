"""A stand-in for the Spark operator: submits each SparkApplication of a namespace, and restarts it.

Owns which command line an application becomes and when it is submitted again. Both follow the
controller of the kubeflow Spark operator 2.5.2 (``submission.go``, ``controller.go``). What the
chart does not use, and what the operator's webhook denies, is refused by name, never left out in
silence. Services for the web interface, changes by webhooks, ingresses and batch schedulers are not
here. ``spark-submit``, the driver, its service and the executors are real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import kubernetes
import pyspark
from clickstream_local.artifacts import cache_folder
from clickstream_local.environment import service_environment
from clickstream_local.java import find_java_home
from spark_admission import Denied, admit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Decision", "SparkOperator", "Unsupported", "decide", "pod_template", "submit_arguments"]

Object = dict[str, Any]
_GROUP, _VERSION, _PLURAL = "sparkoperator.k8s.io", "v1beta2", "sparkapplications"
_DRIVER_GRACE_SECONDS = 10.0
"""How long a driver may be missing after its submission: the operator's default."""
_SUBMIT_SECONDS = 120
_LOOK_SECONDS = 0.5
_CONTAINERS = {"driver": "spark-kubernetes-driver", "executor": "spark-kubernetes-executor"}
_SPEC = {
    "driver", "executor", "image", "imagePullPolicy", "imagePullSecrets", "mainApplicationFile",
    "mode", "pythonVersion", "restartPolicy", "sparkConf", "sparkVersion", "type",
}  # fmt: skip
_ROLE = {
    "annotations", "coreLimit", "coreRequest", "cores", "envVars", "instances", "javaOptions",
    "labels", "memory", "memoryOverhead", "serviceAccount", "template",
}  # fmt: skip
_RESTART = {"type", "onFailureRetryInterval", "onSubmissionFailureRetryInterval"}


class Unsupported(Exception):
    """An application uses what this stand-in does not do.

    Attributes:
        path: The field.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path}: teach tests/support/spark_operator.py what the operator does")


def _check(application: Object) -> None:
    spec = application["spec"]
    parts = [("spec", spec, _SPEC), ("spec.restartPolicy", spec["restartPolicy"], _RESTART)]
    parts += [(f"spec.{role}", spec[role], _ROLE) for role in _CONTAINERS]
    for path, part, known in parts:
        for name in sorted(part.keys() - known):
            raise Unsupported(f"{path}.{name}")


def pod_template(application: Object, role: str) -> Object:
    """Return the file with a role's pod template: the application is an owner of each pod."""
    owner: Object = {
        "apiVersion": f"{_GROUP}/{_VERSION}",
        "kind": "SparkApplication",
        "name": application["metadata"]["name"],
        "uid": application["metadata"]["uid"],
    }
    if role == "driver":
        owner |= {"controller": True, "blockOwnerDeletion": True}
    template = application["spec"][role]["template"]
    metadata = template.get("metadata", {})
    owners = [*metadata.get("ownerReferences", []), owner]
    return {**template, "metadata": {**metadata, "ownerReferences": owners}}


def submit_arguments(
    application: Object, submission: str, master: str, templates: Mapping[str, Path]
) -> list[str]:
    """Return the arguments of spark-submit, in the operator's order: the last setting wins.

    Raises:
        Denied: The operator would refuse the application.
        Unsupported: The application has a field that is not carried over here.
    """
    admit(application)
    _check(application)
    spec = application["spec"]
    settings = [
        *_common(application),
        *_template(templates, "driver"),
        ("spark.kubernetes.driver.pod.name", _driver_name(application)),
        *_role(application, "driver", submission),
        *_template(templates, "executor"),
        *_role(application, "executor", submission),
    ]
    return [
        "--master", master, "--deploy-mode", spec["mode"],
        "--name", application["metadata"]["name"],
        *(word for name, value in settings for word in ("--conf", f"{name}={value}")),
        spec["mainApplicationFile"],
    ]  # fmt: skip


def _driver_name(application: Object) -> str:
    return f"{application['metadata']['name']}-driver"


def _common(application: Object) -> Iterator[tuple[str, object]]:
    spec = application["spec"]
    yield "spark.kubernetes.namespace", application["metadata"]["namespace"]
    yield "spark.kubernetes.container.image", spec["image"]
    yield "spark.kubernetes.container.image.pullPolicy", spec["imagePullPolicy"]
    if spec.get("imagePullSecrets"):
        yield "spark.kubernetes.container.image.pullSecrets", ",".join(spec["imagePullSecrets"])
    if spec.get("pythonVersion"):
        yield "spark.kubernetes.pyspark.pythonVersion", spec["pythonVersion"]
    yield "spark.kubernetes.submission.waitAppCompletion", "false"
    for name, value in spec.get("sparkConf", {}).items():
        if name != "spark.kubernetes.driver.pod.name":
            yield name, value


def _template(templates: Mapping[str, Path], role: str) -> Iterator[tuple[str, object]]:
    yield f"spark.kubernetes.{role}.podTemplateFile", templates[role]
    yield f"spark.kubernetes.{role}.podTemplateContainerName", _CONTAINERS[role]


def _role(application: Object, role: str, submission: str) -> Iterator[tuple[str, object]]:
    """Return a role's settings; its labels come after the application's, and win."""
    part = application["spec"][role]
    label = f"spark.kubernetes.{role}.label."
    yield f"{label}sparkoperator.k8s.io/app-name", application["metadata"]["name"]
    yield f"{label}sparkoperator.k8s.io/launched-by-spark-operator", "true"
    yield f"{label}sparkoperator.k8s.io/submission-id", submission
    if "instances" in part:
        yield "spark.executor.instances", part["instances"]
    yield f"spark.kubernetes.{role}.container.image", application["spec"]["image"]
    # The operator's webhook gives a role one core where none is said.
    yield f"spark.{role}.cores", part.get("cores", 1)
    for field, setting in (
        ("coreRequest", f"spark.kubernetes.{role}.request.cores"),
        ("coreLimit", f"spark.kubernetes.{role}.limit.cores"),
        ("memory", f"spark.{role}.memory"),
        ("memoryOverhead", f"spark.{role}.memoryOverhead"),
        ("serviceAccount", f"spark.kubernetes.authenticate.{role}.serviceAccountName"),
        ("javaOptions", f"spark.{role}.extraJavaOptions"),
    ):
        if field in part:
            yield setting, part[field]
    for labels in (application["metadata"].get("labels", {}), part.get("labels", {})):
        for name, value in labels.items():
            yield f"{label}{name}", value
    for name, value in part.get("annotations", {}).items():
        yield f"spark.kubernetes.{role}.annotation.{name}", value
    prefix = "spark.kubernetes.driverEnv." if role == "driver" else "spark.executorEnv."
    for name, value in part.get("envVars", {}).items():
        yield f"{prefix}{name}", value


@dataclass(frozen=True)
class Decision:
    """What is done about an application now.

    Attributes:
        status: Its new status; ``None`` leaves it.
        does: What happens before the status is written.
    """

    status: Object | None = None
    does: Literal["nothing", "submit", "delete the driver"] = "nothing"


def decide(
    application: Object, driver: Object | None, now: float, *, is_changed: bool = False
) -> Decision:
    """Return what the controller would do.

    Args:
        application: The SparkApplication.
        driver: The pod of its driver's name, if there is one.
        now: Unix seconds.
        is_changed: Whether the specification is another one than that of the last submission.
    """
    status = application.get("status", {})
    state = status.get("applicationState", {}).get("state", "")
    if state == "":
        return Decision(does="submit")
    if is_changed and state != "INVALIDATING":
        return Decision(_with_state(status, "INVALIDATING"))
    if state == "INVALIDATING":
        reset = {"submissionAttempts": 0, "executionAttempts": 0}
        return Decision(_with_state(status, "PENDING_RERUN") | reset, "delete the driver")
    if state in {"SUBMITTED", "RUNNING", "UNKNOWN"}:
        return _observed(status, state, driver, now)
    if state == "PENDING_RERUN":
        return Decision() if driver else Decision(does="submit")
    return _retried(application, state, driver, now)


def _observed(status: Object, state: str, driver: Object | None, now: float) -> Decision:
    """Follow the driver's pod."""
    if driver is None:
        age = now - _seconds(status["lastSubmissionAttemptTime"])
        if state == "SUBMITTED" and age <= _DRIVER_GRACE_SECONDS:
            return Decision()
        return Decision(_with_state(status, "FAILING", "driver pod not found"))
    new = _driver_state(driver)
    return Decision() if new == state else Decision(_with_state(status, new))


def _driver_state(pod: Object) -> str:
    status = pod.get("status", {})
    phase = status.get("phase")
    ended = next(
        (
            row["state"]["terminated"]
            for row in status.get("containerStatuses", [])
            if row["name"] == _CONTAINERS["driver"] and "terminated" in row.get("state", {})
        ),
        None,
    )
    if phase == "Pending":
        return "SUBMITTED"
    if phase == "Succeeded" or (ended and ended["exitCode"] == 0):
        return "SUCCEEDING"
    if phase == "Failed" or ended:
        return "FAILING"
    return "RUNNING" if phase == "Running" else "UNKNOWN"


def _retried(application: Object, state: str, driver: Object | None, now: float) -> Decision:
    """Submit again what ended, as the restart policy says: each attempt waits longer."""
    status, policy = application["status"], application["spec"]["restartPolicy"]
    ends = {"SUCCEEDING": "COMPLETED", "FAILING": "FAILED", "SUBMISSION_FAILED": "FAILED"}
    if state not in ends:
        return Decision()
    if policy["type"] != "Always":
        return Decision(_with_state(status, ends[state]))
    if state != "SUCCEEDING":
        names = {"FAILING": "onFailureRetryInterval"}
        interval = policy.get(names.get(state, "onSubmissionFailureRetryInterval"), 5)
        since = now - _seconds(status["lastSubmissionAttemptTime"])
        if since < interval * status["submissionAttempts"]:
            return Decision()
    if state == "SUBMISSION_FAILED":
        return Decision(does="delete the driver") if driver else Decision(does="submit")
    return Decision(_with_state(status, "PENDING_RERUN"), "delete the driver")


def _with_state(status: Object, state: str, message: str = "") -> Object:
    return {**status, "applicationState": {"state": state, "errorMessage": message}}


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class SparkOperator:
    """The loop, in a thread: it looks at one namespace until it is closed.

    Attributes:
        problems: Why a reconcile failed, for a reader who wonders why nothing happens.
    """

    def __init__(self, namespace: str) -> None:
        """Begin to look; ``KUBECONFIG`` names the cluster."""
        self.problems: list[str] = []
        self._namespace = namespace
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(client_configuration=configuration)
        self._master = f"k8s://{configuration.host}"
        client = kubernetes.client.ApiClient(configuration)
        self._custom = kubernetes.client.CustomObjectsApi(client)
        self._core = kubernetes.client.CoreV1Api(client)
        self._client = client
        self._submitted: dict[str, Object] = {}
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spark-operator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; drivers that run stay."""
        self._is_closed.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._is_closed.wait(_LOOK_SECONDS):
            try:
                self._look()
            except (kubernetes.client.ApiException, Denied, Unsupported, OSError) as problem:
                # Objects change under a look; the next one sees them as they are.
                self.problems.append(str(problem))

    def _look(self) -> None:
        place = _GROUP, _VERSION, self._namespace, _PLURAL
        found = cast("Object", self._custom.list_namespaced_custom_object(*place))
        for application in found["items"]:
            name = application["metadata"]["name"]
            submitted = self._submitted.setdefault(name, application["spec"])
            decision = decide(
                application, self._driver(application), time.time(),
                is_changed=submitted != application["spec"],
            )  # fmt: skip
            status = decision.status
            if decision.does == "submit":
                self._submitted[name] = application["spec"]
                status = self._submit(application)
            elif decision.does == "delete the driver":
                self._submitted[name] = application["spec"]
                self._delete(_driver_name(application))
            if status is not None:
                self._custom.patch_namespaced_custom_object_status(*place, name, {"status": status})

    def _driver(self, application: Object) -> Object | None:
        try:
            found: Any = self._core.read_namespaced_pod(
                _driver_name(application), self._namespace, _preload_content=False
            )
        except kubernetes.client.ApiException as refused:
            if refused.status != 404:
                raise
            return None
        pod: Object = json.loads(found.data)
        return pod

    def _delete(self, name: str) -> None:
        try:
            self._core.delete_namespaced_pod(name, self._namespace)
        except kubernetes.client.ApiException as refused:
            if refused.status != 404:
                raise

    def _submit(self, application: Object) -> Object:
        """Run spark-submit, which returns when the driver's pod is made; return the status."""
        status = application.get("status", {})
        submission = str(uuid.uuid4())
        failure = self._run_submit(application, submission)
        return {
            **status,
            "submissionID": submission,
            "driverInfo": {"podName": _driver_name(application)},
            "lastSubmissionAttemptTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "submissionAttempts": status.get("submissionAttempts", 0) + 1,
            "executionAttempts": status.get("executionAttempts", 0) + (not failure),
            "applicationState": {
                "state": "SUBMISSION_FAILED" if failure else "SUBMITTED",
                "errorMessage": failure,
            },
        }

    def _run_submit(self, application: Object, submission: str) -> str:
        """Return what spark-submit said if it failed, else an empty text."""
        folder = Path(tempfile.mkdtemp(prefix="spark-operator-"))
        try:
            templates = {role: folder / f"{role}-pod-template.yaml" for role in _CONTAINERS}
            for role, path in templates.items():
                text = json.dumps(pod_template(application, role))  # JSON is YAML
                path.write_text(text, encoding="utf-8")
            arguments = submit_arguments(application, submission, self._master, templates)
            home = Path(pyspark.__file__).parent
            environment = service_environment(os.environ) | {
                "SPARK_HOME": str(home),
                "JAVA_HOME": str(find_java_home(os.environ, cache_folder(os.environ))),
                "KUBECONFIG": os.environ["KUBECONFIG"],
            }
            done = subprocess.run(
                [home / "bin" / "spark-submit", *arguments], env=environment, cwd=folder,
                capture_output=True, text=True, check=False, timeout=_SUBMIT_SECONDS,
            )  # fmt: skip
            if done.returncode:
                self.problems.append(done.stderr[-4_000:])
            return done.stderr[-1_000:] if done.returncode else ""
        finally:
            shutil.rmtree(folder)
