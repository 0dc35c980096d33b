"""The Tiltfile, kind's configuration and ``make kind``, as far as they show without Docker.

The Tiltfile is evaluated as Starlark, with stand-ins for Tilt's own functions; its commands are run
by a shell with stand-ins for kubectl and helm.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import starlark
import yaml
from charts import documents, printing_copy, rendered
from release import BUILD
from tiltfile import CONTEXT, ROOT, load_tiltfile

if TYPE_CHECKING:
    from collections.abc import Callable

_MAKE = (ROOT / "Makefile").read_text(encoding="utf-8")
_REPOSITORY = "ghcr.io/clickstream-dev/"
_EVERY_IMAGE = {"console", "generator", "migrations", "operator", "streaming"}
_WITHOUT_SPARK = {"without-spark": True}
_EDITS = {
    "apps/console/src/clickstream_console/shell/live.py": {"console"},
    "apps/console/src/clickstream_console/static/styles.css": {"console"},
    "apps/console/screenshots.py": set(),
    "apps/contract/src/clickstream_contract/events.py": _EVERY_IMAGE,
    "apps/generator/src/clickstream_generator/core/shard.py": {"generator"},
    "apps/generator/pyproject.toml": {"generator"},
    "apps/generator/Dockerfile": {"generator"},
    "apps/health/src/clickstream_health/server.py": _EVERY_IMAGE - {"migrations"},
    "apps/judge/src/clickstream_judge/command.py": {"generator"},
    "apps/local/src/clickstream_local/artifacts.json": {"streaming"},
    "apps/local/src/clickstream_local/stack.py": set(),
    "apps/migrations/src/clickstream_migrations/logins.py": {"migrations"},
    "apps/streaming/image/entrypoint.sh": {"streaming"},
    "apps/streaming/src/clickstream_streaming/core/validation/rules.py": {"streaming"},
    "db/schema/ops/runs.sql": {"migrations"},
    "docs/install.md": set(),
    "helm/clickstream/values.yaml": set(),
    "operator/src/clickstream_operator/core/plan.py": {"operator"},
    "operator/Dockerfile": {"operator"},
    "tests/e2e/services.yaml": set(),
    "uv.lock": _EVERY_IMAGE,
}
_LOG = "the log of the job"
_LOCK = "helm/clickstream-operators/Chart.lock"


def _tracked() -> list[str]:
    done = subprocess.run(
        ["/usr/bin/env", "git", "-C", str(ROOT), "ls-files"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_named_files_exist() -> None:
    """Charts, values, Dockerfiles, contexts, synced folders and watched files exist."""
    loaded = load_tiltfile()
    paths = {path for _, _, options in loaded.calls for path in options.get("deps", [])} - {_LOCK}
    for image in loaded.images().values():
        paths |= {image.dockerfile, *image.only, *image.synced, *image.falls_back}
    for row in loaded.resources().values():
        words = " ".join([row.get("cmd", ""), *row.get("flags", [])]).replace("--values=", "")
        paths |= set(re.findall(r"[\w./-]+\.yaml", words))
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", _EDITS)
def test_an_edit_builds_exactly_its_images(path: str) -> None:
    """Of every file the images are built that it changes, and no others."""
    assert (ROOT / path).exists()
    images = load_tiltfile().images()

    assert {name for name, image in images.items() if image.takes(path)} == _EDITS[path]


def test_contexts_are_what_dockerfiles_copy() -> None:
    """Every tracked file is in an image's context exactly if the image's Dockerfile copies it."""
    images = load_tiltfile().images()
    assert set(images) == _EVERY_IMAGE
    for name, image in images.items():
        differing = [
            path
            for path in _tracked()
            if image.takes(path) != image.copies(path) and path != "apps/console/screenshots.py"
        ]
        assert differing == [], name


def test_contexts_share_only_contract_and_health() -> None:
    """Beyond contract, health and the lock no file is in the contexts of two images."""
    images = load_tiltfile().images()
    shared = {
        path for path in _tracked() if sum(image.takes(path) for image in images.values()) > 1
    }
    assert {path for path in shared if not path.startswith(("apps/contract/", "apps/health/"))} == {
        "pyproject.toml", "requirements-uv.txt", "uv.lock",
    }  # fmt: skip


def test_only_what_keeps_nothing_is_synced() -> None:
    """Operator and console get new files into their containers, where the images have them."""
    images = load_tiltfile().images()
    assert {name for name, image in images.items() if image.synced} == {"console", "operator"}
    for name in ("console", "operator"):
        image = images[name]
        dockerfile = (ROOT / image.dockerfile).read_text(encoding="utf-8")
        for source, target in image.synced.items():
            packages, _, package = target.rpartition("/")
            assert f"COPY --from=code /code {packages}\n" in dockerfile
            assert Path(source).name == package
            assert image.syncs(f"{source}/errors.py")
        assert not image.syncs("uv.lock")
        assert image.takes("uv.lock")


@pytest.mark.parametrize("part", ["console", "operator"])
def test_synced_containers_are_writable(helm: Callable[..., str], part: str) -> None:
    """Only with Tilt's values: a release's containers keep their root as it was built."""
    flags = load_tiltfile().resources()["clickstream"]["flags"]
    values = ",".join(flag.removeprefix("--set=") for flag in flags if "--set=" in flag)
    for options, wanted in (((), True), (("--set", values), False)):
        rows = rendered(helm, "dev/strimzi/cnpg/spark-operator", *options)
        (found,) = (
            row["spec"]["template"]["spec"]["containers"][0]["securityContext"]
            for row in rows
            if (row["kind"], row["metadata"]["name"]) == ("Deployment", f"shop-{part}")
        )
        assert found["readOnlyRootFilesystem"] is wanted
        assert found["allowPrivilegeEscalation"] is False


def test_images_match_chart_values() -> None:
    """The chart's own images, each with the two values that name it."""
    loaded = load_tiltfile()
    release = loaded.resources()["clickstream"]
    assert set(release["image_deps"]) == {_REPOSITORY + name for name in loaded.images()}
    values = yaml.safe_load((ROOT / "helm" / "clickstream" / "values.yaml").read_text("utf-8"))
    for image, (repository, tag) in zip(release["image_deps"], release["image_keys"], strict=True):
        part = repository.partition(".")[0]
        assert values[part]["image"]["repository"] == image
        assert (repository, tag) == (f"{part}.image.repository", f"{part}.image.tag")
    assert {row["image"]["repository"] for row in values.values() if "image" in row} == set(
        release["image_deps"]
    )


@pytest.mark.parametrize("settings", [{}, _WITHOUT_SPARK], ids=["all", "without Spark"])
def test_order_of_resources(settings: dict[str, Any]) -> None:
    """Namespace, operators, release, ``ready``; what needs a pipeline waits for ``ready``."""
    loaded = load_tiltfile(settings=settings)
    resources = loaded.resources()
    for name, row in resources.items():
        assert set(row.get("resource_deps", [])) <= set(resources), name
    assert loaded.before("ready") == {
        "clickstream", "operators", "namespace", "operators-charts",
    }  # fmt: skip
    users = {"simulation", "test-release", "verify", "rebuild", "console", "postgres"}
    for name in users & set(resources):
        assert resources[name]["resource_deps"] == ["ready"], name
    assert ("verify" in resources) is not bool(settings)


def test_nothing_blocks_builds() -> None:
    """Every local resource runs beside builds and beside each other."""
    for name, row in load_tiltfile().resources().items():
        assert row["made_by"] == "helm_resource" or row["allow_parallel"], name


@pytest.mark.parametrize("settings", [{}, _WITHOUT_SPARK], ids=["all", "without Spark"])
def test_ready_waits_as_the_notes_say(
    helm: Callable[..., str], tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Each wait of the release's notes is one of ``ready``, for the same object."""
    loaded = load_tiltfile(settings=settings)
    release = loaded.resources()["clickstream"]
    values = ",".join(flag.removeprefix("--set=") for flag in release["flags"] if "--set" in flag)
    chart = printing_copy(ROOT / "helm" / "clickstream", tmp_path)
    text = helm(
        "template", "clickstream", "-n", "clickstream",
        "-f", str(ROOT / "helm" / "clickstream" / "values-dev.yaml"), "--set", values,
        chart=chart,
    )  # fmt: skip
    notes = next(
        row["data"]["text"] for row in documents(text) if row["metadata"]["name"] == "the-notes"
    )
    first = notes.partition("Wait until")[2].partition("Start a simulation")[0]
    waits = re.findall(r"kubectl -n clickstream (wait \S+ .*) --timeout=\d+s", first)
    assert len(waits) == (1 if settings else 4)
    command = loaded.resources()["ready"]["cmd"]
    for words in waits:
        assert f"kubectl --context {CONTEXT} -n clickstream {words} --timeout=" in command
    assert release["pod_readiness"] == "ignore"


def test_probe_survives_busy_machine() -> None:
    """The probe of ``ready`` has the time of its waits, and as much again to start kubectl."""
    _, probe = load_tiltfile().resources()["ready"]["readiness_probe"]
    command = probe["exec"][1][-1]
    seconds = sum(int(row) for row in re.findall(r"--timeout=(\d+)s", command))
    assert 0 < 2 * seconds < probe["timeout_secs"] <= probe["period_secs"]


@pytest.mark.parametrize("subcommand", ["up", "ci"])
def test_only_ci_tests_by_itself(subcommand: str) -> None:
    """``tilt ci`` brings all up, sends one event, reads it back, and ends: no forward keeps it."""
    for name, row in load_tiltfile(subcommand).resources().items():
        if "test" in row["labels"]:
            wanted = subcommand == "ci" and name == "test-release"
            assert (row["auto_init"], row["trigger_mode"]) == (wanted, "manual"), name
        if "forward" in row["labels"]:
            assert row["auto_init"] is (subcommand == "up")
        if name == "simulation":
            assert row["auto_init"] is False


def test_ci_has_time() -> None:
    """A start may take its minutes, and Helm gives up before Tilt does."""
    loaded = load_tiltfile("ci")
    assert loaded.of("ci_settings") == [
        ((), {"k8s_grace_period": "10m", "readiness_timeout": "25m", "timeout": "45m"})
    ]
    ((_, limits),) = loaded.of("update_settings")
    (flag,) = (
        row for row in loaded.resources()["operators"]["flags"] if row.startswith("--timeout=")
    )
    assert (
        60 * int(flag.removeprefix("--timeout=").removesuffix("m"))
        < (limits["k8s_upsert_timeout_secs"])
    )


@pytest.mark.parametrize("context", ["", "kind", "kind-other", "minikube", "docker-desktop"])
def test_another_cluster_is_refused(context: str) -> None:
    """Nothing is built, applied or run where the context is not that of kind's configuration."""
    with pytest.raises(starlark.StarlarkError, match=r"Tilt works on .*kind-clickstream") as found:
        load_tiltfile(context=context)

    assert f'"{context}"' in str(found.value)


def test_commands_name_their_cluster() -> None:
    """The context may change while Tilt runs: each kubectl and each helm names the context."""
    loaded = load_tiltfile()
    for name, row in loaded.resources().items():
        if row["made_by"] == "helm_resource":
            assert f"--kube-context={CONTEXT}" in row["flags"]
        for words in (row.get("cmd", ""), row.get("serve_cmd", "")):
            found = re.findall(r"kubectl (?:--context (\S+))?", words)
            found += re.findall(r"helm test \S+ --kube-context=(\S+)", words)
            assert set(found) <= {CONTEXT}, name
    for _, options in loaded.of("v1alpha1.cmd"):
        assert re.findall(r"kubectl --context (\S+)", options["args"][-1]) == [CONTEXT]


def test_extensions_and_versions_are_pinned() -> None:
    """Extensions come from one commit, before they are loaded; Tilt's version has a bound."""
    loaded = load_tiltfile()
    ((_, repository),) = loaded.of("v1alpha1.extension_repo")
    assert repository["name"] == "default"
    assert re.fullmatch(r"[0-9a-f]{40}", repository["ref"])
    assert loaded.of("version_settings") == [((), {"constraint": ">=0.35.0"})]
    text = (ROOT / "Tiltfile").read_text(encoding="utf-8")
    assert text.index("v1alpha1.extension_repo(") < text.index("load(")


def test_commands_name_what_the_releases_have(helm: Callable[..., str]) -> None:
    """Services, jobs and make's targets exist."""
    resources = load_tiltfile().resources()
    rows = rendered(helm, "dev/strimzi/cnpg/spark-operator")
    database = next(row["metadata"]["name"] for row in rows if row["kind"] == "Cluster")
    services = {
        name
        for row in resources.values()
        for name in re.findall(r"service/(\S+)", row.get("serve_cmd", ""))
    }
    operators = resources["operators"]["release_name"]
    assert services == {
        f"{database.replace('shop', 'clickstream')}-rw",  # CloudNativePG's name for the primary
        "clickstream-console",
        f"{operators}-grafana",
        "prometheus-operated",  # the Prometheus operator's
    }
    made = {row["metadata"]["name"] for row in rows if row["kind"] == "CronJob"}
    for what in ("verify", "rebuild"):
        assert f"cronjob/clickstream-{what}" in resources[what]["cmd"]
        assert f"shop-{what}" in made
    for row in resources.values():
        command = row.get("cmd", "")
        if command.startswith("make "):
            assert re.search(rf"^{command.removeprefix('make ')}:", _MAKE, re.MULTILINE), command


def test_settings_change_what_starts() -> None:
    """Simulation, ports, registry and resources are the user's."""
    loaded = load_tiltfile(
        settings={
            "simulation": "chaos", "port": ["postgres=15432"], "registry": "registry.example/me",
            "resources": ["operators"],
        }
    )  # fmt: skip
    resources = loaded.resources()

    assert resources["simulation"]["auto_init"] is True
    assert "k8s/simulations/chaos.yaml" in resources["simulation"]["cmd"]
    assert "15432:5432" in resources["postgres"]["serve_cmd"]
    assert loaded.of("default_registry") == [(("registry.example/me",), {})]
    assert loaded.of("config.set_enabled_resources") == [((["operators"],), {})]
    assert load_tiltfile().of("default_registry") == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"simulation": "chaoz"}, "there are storefront"),
        ({"port": ["postgres=five"]}, "say NAME=PORT"),
        ({"port": ["kafka=9092"]}, "say NAME=PORT"),
    ],
)
def test_a_wrong_setting_is_refused(settings: dict[str, Any], says: str) -> None:
    """The sentence says what there is."""
    with pytest.raises(starlark.StarlarkError, match=says):
        load_tiltfile(settings=settings)


def test_without_spark_builds_less(helm: Callable[..., str]) -> None:
    """Two images, no operator that nothing needs, and a release that the chart takes."""
    loaded = load_tiltfile(settings=_WITHOUT_SPARK)
    resources = loaded.resources()

    assert set(loaded.images()) == {"generator", "operator"}
    assert {"--set=spark-operator.enabled=false", "--set=cloudnative-pg.enabled=false"} < set(
        resources["operators"]["flags"]
    )
    flags = resources["clickstream"]["flags"]
    values = ",".join(flag.removeprefix("--set=") for flag in flags if "--set=" in flag)
    rows = rendered(helm, "dev/strimzi/cnpg/spark-operator", "--set", values)
    assert "SparkApplication" not in {row["kind"] for row in rows}
    assert {"console", "postgres", "test-release"} & set(resources) == set()


def test_buttons_do_what_they_say() -> None:
    """Every simulation starts and stops by a button; each has a resource and a command."""
    loaded = load_tiltfile()
    buttons = {options["name"]: options for _, options in loaded.of("v1alpha1.ui_button")}
    commands = {options["name"]: options for _, options in loaded.of("v1alpha1.cmd")}
    assert set(buttons) == {"start", "stop", "stop-all", "password"}
    assert {f"btn-{name}" for name in buttons} == set(commands)
    for name, options in buttons.items():
        resource = options["location"][1]["component_id"]
        assert resource in loaded.resources()
        assert commands[f"btn-{name}"]["start_on"][1] == {"ui_buttons": [name]}
    choices = buttons["start"]["inputs"][0][1]["choice"][1]["choices"]
    files = sorted((ROOT / "k8s" / "simulations").glob("*.yaml"))
    assert sorted(choices) == [path.stem for path in files]
    for path in files:
        assert yaml.safe_load(path.read_text("utf-8"))["metadata"]["name"] == path.stem


def test_only_pages_have_links() -> None:
    """PostgreSQL is not for browsers; each forward is watched by a probe of its port."""
    for name, row in load_tiltfile().resources().items():
        if "forward" in row["labels"]:
            assert bool(row["links"]) is (name != "postgres")
            ((_, port, _),) = (row["readiness_probe"][1]["tcp_socket"],)
            assert f" {port}:" in row["serve_cmd"]


def _program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def _shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the Tiltfile's as Tilt does, with a folder's programs first."""
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "FOLDER": str(folder)}
    return subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip


def test_a_forward_comes_back(tmp_path: Path) -> None:
    """A forward that ends with its pod is begun again."""
    command = load_tiltfile().resources()["console"]["serve_cmd"]
    _program(tmp_path, "sleep", "")
    _program(
        tmp_path,
        "kubectl",
        'echo "$@" >> "$FOLDER/calls"\n[ "$(wc -l < "$FOLDER/calls")" -lt 3 ] || kill $PPID',
    )

    _shell(tmp_path, command)

    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 3
    assert all("port-forward service/clickstream-console 9404:9404" in row for row in calls)


@pytest.mark.parametrize("what", ["verify", "rebuild"])
@pytest.mark.parametrize(
    ("conditions", "code"), [("SuccessCriteriaMet Complete", 0), ("FailureTarget Failed", 1)]
)
def test_failed_job_shows_its_log(tmp_path: Path, what: str, conditions: str, code: int) -> None:
    """It is not waited for any longer, and its exit code is that of the Job."""
    _program(
        tmp_path,
        "kubectl",
        f'case "$*" in *" logs "*) echo "{_LOG}" ;; *" get job "*) echo "{conditions}" ;;\n'
        '*"condition=Complete"*) sleep 60 ;; esac',
    )

    done = _shell(tmp_path, load_tiltfile().resources()[what]["cmd"])

    assert (done.returncode, _LOG in done.stdout) == (code, True)


@pytest.mark.parametrize("passes", [True, False])
def test_only_failed_tests_are_read(tmp_path: Path, *, passes: bool) -> None:
    """A pod that has passed is gone with its log; one that has failed says why."""
    command = load_tiltfile("ci").resources()["test-release"]["cmd"]
    assert "--logs" not in command
    _program(tmp_path, "helm", "exit 0" if passes else "exit 1")
    _program(tmp_path, "kubectl", f'echo "{_LOG}"')

    done = _shell(tmp_path, command)

    assert (done.returncode == 0, _LOG in done.stdout) == (passes, not passes)


def test_what_is_not_ready_is_shown(tmp_path: Path) -> None:
    """When a wait fails, the pods and their warnings say why."""
    says = 'case "$*" in *" get pods"*) echo ImagePullBackOff ;; *) exit 1 ;; esac'
    _program(tmp_path, "kubectl", says)

    done = _shell(tmp_path, load_tiltfile().resources()["ready"]["cmd"])

    assert (done.returncode, done.stdout.strip()) == (1, "ImagePullBackOff")


def test_unknown_tilt_function_is_noticed() -> None:
    """A misspelt function, and Starlark that does not parse, fail."""
    for text in ("docker_biuld('a', '.')\n", "local_resource('a'\n"):
        with pytest.raises(starlark.StarlarkError):
            load_tiltfile(text=text)


def test_charts_can_be_fetched_twice() -> None:
    """Helm's lock asks for repositories that nothing adds; what Helm writes is not tracked."""
    texts = {
        path: (ROOT / path).read_text(encoding="utf-8")
        for path in _tracked()
        if path.startswith(("docs/", "helm/", "Makefile", "Tiltfile", "README"))
        and not path.endswith((".png", ".json"))
    }
    assert [path for path, text in texts.items() if "helm dependency build" in text] == []
    assert "helm dependency update helm/clickstream-operators" in texts["Tiltfile"]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"helm/*/charts/", "helm/*/Chart.lock"} <= set(ignored)
    for row in load_tiltfile().resources().values():
        assert {"helm/clickstream", "helm/clickstream-operators"}.isdisjoint(row.get("deps", []))


def test_operators_upgrade_once_fetched() -> None:
    """A changed Chart.yaml fetches charts; the lock, written last, upgrades the release."""
    resources = load_tiltfile().resources()
    about = "helm/clickstream-operators/Chart.yaml"
    assert resources["operators-charts"]["deps"] == [about]
    assert about not in resources["operators"]["deps"]
    assert _LOCK in resources["operators"]["deps"]
    assert "helm/clickstream/Chart.yaml" in resources["clickstream"]["deps"]


def test_cluster_test_loads_its_cluster(tmp_path: Path) -> None:
    """``make e2e`` builds an image and loads it into the cluster of the context."""
    _program(tmp_path, "docker", 'echo "docker $*" >> "$FOLDER/calls"')
    _program(tmp_path, "kind", 'echo "kind $*" >> "$FOLDER/calls"')
    _program(tmp_path, "kubectl", "echo kind-clickstream")

    done = _shell(tmp_path, BUILD.format(tag="localhost/a:1", dockerfile="a/Dockerfile"))

    assert (done.returncode, (tmp_path / "calls").read_text("utf-8").splitlines()) == (
        0,
        [
            "docker build -t localhost/a:1 -f a/Dockerfile .",
            "kind load docker-image --name clickstream localhost/a:1",
        ],
    )


def _target(name: str) -> str:
    return _MAKE.partition(f"\n{name}:")[2].partition("\n\n")[0]


def test_cluster_is_kind_with_registry() -> None:
    """One name everywhere; the node is pinned by digest, and pulls from where Tilt pushes."""
    kind = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    assert f"kind-{kind['name']}" == CONTEXT
    assert (kind["apiVersion"], kind["kind"]) == ("kind.x-k8s.io/v1alpha4", "Cluster")
    assert kind["networking"]["apiServerAddress"] == "127.0.0.1"
    assert kind["nodes"] == [{"role": "control-plane"}]
    target = _target("cluster")
    assert "kind create cluster --config kind-config.yaml --image $(NODE_IMAGE)" in target
    assert re.search(r"^NODE_IMAGE \?= \S+:v[\d.]+@sha256:[0-9a-f]{64}$", _MAKE, re.MULTILINE)
    text = (ROOT / "k8s" / "local-registry.yaml").read_text(encoding="utf-8")
    hosting = yaml.safe_load(yaml.safe_load(text)["data"]["localRegistryHosting.v1"])
    assert f"--publish 127.0.0.1:{hosting['host'].partition(':')[2]}:5000" in target
    assert f"HOSTS := /etc/containerd/certs.d/{hosting['host']}\n" in _MAKE


def test_make_kind_builds_chart_images() -> None:
    """Without Tilt: the same cluster, namespace, operators, images and profile."""
    target = _target("kind")
    assert target.startswith(" cluster ")
    for words in ("k8s/namespace.yaml", "helm dependency update helm/clickstream-operators",
                  "values-dev.yaml", "kind load"):  # fmt: skip
        assert words in target
    folders = _MAKE.partition("\nIMAGES := ")[2].partition("\n")[0].split()
    values = yaml.safe_load((ROOT / "helm" / "clickstream" / "values.yaml").read_text("utf-8"))
    assert {Path(folder).name for folder in folders} == {
        name for name, row in values.items() if "image" in row
    }
    assert all((ROOT / folder / "Dockerfile").is_file() for folder in folders)
    for path in re.findall(r"[\w./-]+\.yaml|helm/[\w-]+", target):
        assert (ROOT / path).exists(), path
