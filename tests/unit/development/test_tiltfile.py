"""The Tiltfile and kind's configuration, as far as they can be looked at without Docker.

The Tiltfile is evaluated as Starlark, with stand-ins for Tilt's own functions that note what they
are told; what Tilt makes of it is not looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import starlark
import yaml
from charts import rendered

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
_MAKE = (ROOT / "Makefile").read_text(encoding="utf-8")
_BUILTINS = (
    "allow_k8s_contexts", "docker_build", "fall_back_on", "link", "local_resource", "sync",
    "update_settings",
)  # fmt: skip
_EXTENSIONS = {
    "ext://helm_resource": ("helm_resource",),
    "ext://restart_process": ("docker_build_with_restart",),
}
_HEAD = """
config = struct(tilt_subcommand='{subcommand}')
TRIGGER_MODE_MANUAL = 'manual'
"""
_RESOURCES = ("local_resource", "helm_resource")
Call = tuple[str, tuple[Any, ...], dict[str, Any]]


def _evaluated(subcommand: str = "up", text: str | None = None) -> list[Call]:
    """Evaluate the Tiltfile; return every call of Tilt's functions, in order."""
    calls: list[Call] = []

    def noting(name: str) -> Callable[..., Any]:
        def note(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  Starlark's values
            calls.append((name, arguments, options))
            return [name, *arguments]

        return note

    def read_file(path: str) -> str:
        return (ROOT / path).read_text(encoding="utf-8")

    dialect = starlark.Dialect.standard()
    dialect.enable_top_level_stmt = True
    libraries = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])

    def load(name: str) -> starlark.FrozenModule:
        module = starlark.Module()
        for function in _EXTENSIONS[name]:
            module.add_callable(function, noting(function))
        starlark.eval(module, starlark.parse(name, "", dialect), libraries)
        return module.freeze()

    module = starlark.Module()
    for name in _BUILTINS:
        module.add_callable(name, noting(name))
    module.add_callable("read_file", read_file)
    content = text or (ROOT / "Tiltfile").read_text(encoding="utf-8")
    tree = starlark.parse("Tiltfile", _HEAD.format(subcommand=subcommand) + content, dialect)
    starlark.eval(module, tree, libraries, starlark.FileLoader(load))
    return calls


def _resources(calls: list[Call]) -> dict[str, dict[str, Any]]:
    return {
        arguments[0]: {**options, "kind": name, "chart": (*arguments, "", "")[1]}
        for name, arguments, options in calls
        if name in _RESOURCES
    }


def _images(calls: list[Call]) -> set[str]:
    return {arguments[0] for name, arguments, _ in calls if name.startswith("docker_build")}


def test_every_file_that_it_names_is_there() -> None:
    """Charts, values, Dockerfiles, contexts, synced folders and watched files exist."""
    calls = _evaluated()
    paths = {path for _, _, options in calls for path in options.get("deps", [])}
    paths |= {path for _, _, options in calls for path in options.get("only", [])}
    for name, arguments, options in calls:
        paths |= {arguments[0]} if name == "sync" else set()
        paths |= set(arguments[0]) if name == "fall_back_on" else set()
        paths |= {arguments[1]} if name.startswith("docker_build") else set()
        paths |= {arguments[1]} if name == "helm_resource" else set()
        paths |= {options["dockerfile"]} if "dockerfile" in options else set()
        words = " ".join([options.get("cmd", ""), *options.get("flags", [])])
        paths |= set(re.findall(r"[\w./-]+\.yaml", words.replace("--values=", "")))
    assert len(paths) > 15
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_operators_come_first_and_nothing_waits_for_what_is_not_there() -> None:
    """Each dependency is a resource; ours come after the operators, these after the namespace."""
    resources = _resources(_evaluated())
    for name, row in resources.items():
        assert set(row.get("resource_deps", [])) <= set(resources), name

    def before(name: str) -> set[str]:
        needs = resources[name].get("resource_deps", [])
        return set(needs).union(*(before(row) for row in needs))

    assert {"operators", "namespace", "operators-charts"} <= before("clickstream")
    assert {"clickstream"} <= before("storefront") & before("test-release") & before("verify")


def test_every_image_is_built_and_goes_where_the_chart_reads_it(helm: Callable[..., str]) -> None:
    """The chart's own images, each with the two values that say which."""
    calls = _evaluated()
    release = _resources(calls)["clickstream"]
    assert set(release["image_deps"]) == _images(calls)
    assert len(release["image_deps"]) == len(release["image_keys"])
    values = yaml.safe_load((ROOT / "helm" / "clickstream" / "values.yaml").read_text("utf-8"))
    for image, (repository, tag) in zip(release["image_deps"], release["image_keys"], strict=True):
        part = repository.partition(".")[0]
        assert values[part]["image"]["repository"] == image
        assert (repository, tag) == (f"{part}.image.repository", f"{part}.image.tag")
    assert _images(calls) == {
        row["image"]["repository"] for row in values.values() if "image" in row
    }
    options = [flag.removeprefix("--set=") for flag in release["flags"] if "--set=" in flag]
    assert rendered(helm, "dev/strimzi/cnpg/spark-operator", "--set", ",".join(options))


def test_a_synced_folder_is_where_the_image_has_it() -> None:
    """The target is the package below the environment that the Dockerfile makes."""
    dockerfile = (ROOT / "operator" / "Dockerfile").read_text(encoding="utf-8")
    assert "UV_PROJECT_ENVIRONMENT=/opt/clickstream" in dockerfile
    assert "python:3.11" in dockerfile
    for name, arguments, _ in _evaluated():
        if name == "sync":
            source, target = arguments
            assert target.startswith("/opt/clickstream/lib/python3.11/site-packages/")
            assert Path(source).name == Path(target).name


def test_commands_name_what_the_releases_have(helm: Callable[..., str]) -> None:
    """Services, jobs and make's targets are not made up."""
    resources = _resources(_evaluated())
    rows = rendered(helm, "dev/strimzi/cnpg/spark-operator")
    database = next(row["metadata"]["name"] for row in rows if row["kind"] == "Cluster")
    services = {
        re.search(r"service/(\S+)", row["serve_cmd"]).group(1)  # type: ignore[union-attr]
        for row in resources.values()
        if "serve_cmd" in row
    }
    operators = resources["operators"]["release_name"]
    assert services == {
        f"{database.replace('shop', 'clickstream')}-rw",  # CloudNativePG's name for the primary
        "clickstream-console",
        f"{operators}-grafana",
        "prometheus-operated",  # the Prometheus operator's
    }
    assert "cronjob/clickstream-verify" in resources["verify"]["cmd"]
    assert any(row["kind"] == "CronJob" for row in rows)
    for row in resources.values():
        command = row.get("cmd", "")
        if command.startswith("make "):
            assert re.search(rf"^{command.removeprefix('make ')}:", _MAKE, re.MULTILINE), command


@pytest.mark.parametrize(("subcommand", "by_itself"), [("up", False), ("ci", True)])
def test_tests_are_started_by_hand_but_for_that_of_ci(subcommand: str, *, by_itself: bool) -> None:
    """``tilt ci`` brings all up, sends one event, reads it back, and ends: no forward keeps it."""
    resources = _resources(_evaluated(subcommand))
    for name, row in resources.items():
        if "test" in row["labels"]:
            wanted = by_itself and name == "test-release"
            assert (row["auto_init"], row["trigger_mode"]) == (wanted, "manual")
        if "serve_cmd" in row:
            assert row["auto_init"] is not by_itself
            assert row["links"]


def test_only_the_cluster_of_kind_is_touched() -> None:
    """The one context that is allowed is the cluster that kind's configuration makes."""
    kind = yaml.safe_load((ROOT / "kind-config.yaml").read_text(encoding="utf-8"))
    allowed = [row[1] for row in _evaluated() if row[0] == "allow_k8s_contexts"]
    assert allowed == [(f"kind-{kind['name']}",)]
    assert (kind["apiVersion"], kind["kind"]) == ("kind.x-k8s.io/v1alpha4", "Cluster")
    assert kind["networking"]["apiServerAddress"] == "127.0.0.1"
    assert [row["role"] for row in kind["nodes"]] == ["control-plane"]
    assert all(re.search(r":v\d+\.\d+\.\d+$", row["image"]) for row in kind["nodes"])


def test_what_tilt_does_not_have_is_noticed() -> None:
    """A misspelt function, and Starlark that does not parse, fail."""
    for text in ("docker_biuld('a', '.')\n", "local_resource('a'\n"):
        with pytest.raises(starlark.StarlarkError):
            _evaluated(text=text)


def test_make_kind_builds_what_the_chart_installs() -> None:
    """Without Tilt: the same namespace, operators, images and profile."""
    target = _MAKE.partition("\nkind:")[2].partition("\n\n")[0]
    for words in ("kind create cluster", "kind-config.yaml", "k8s/namespace.yaml",
                  "helm/clickstream-operators", "values-dev.yaml", "kind load"):  # fmt: skip
        assert words in target
    folders = _MAKE.partition("\nIMAGES := ")[2].partition("\n")[0].split()
    values = yaml.safe_load((ROOT / "helm" / "clickstream" / "values.yaml").read_text("utf-8"))
    assert {Path(folder).name for folder in folders} == {
        name for name, row in values.items() if "image" in row
    }
    assert all((ROOT / folder / "Dockerfile").is_file() for folder in folders)
    for path in re.findall(r"[\w./-]+\.yaml|helm/[\w-]+", target):
        assert (ROOT / path).exists(), path
