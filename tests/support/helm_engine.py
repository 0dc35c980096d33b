"""Helm's own engine, from a Python package: what ``helm template`` and ``helm lint`` print.

Owns how a command line becomes a call. The package carries Helm compiled, so charts are rendered
in this process, without a program and without a network.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import helm_python
import yaml
from helm_python import _native

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Helm", "Releases", "merged_values"]

KUBERNETES = "1.34.0"
"""The version of Kubernetes that charts are rendered for."""

CHART = Path(__file__).parents[2] / "helm" / "clickstream"
KINDS = (
    "kafka.strimzi.io/v1",
    "monitoring.coreos.com/v1",
    "postgresql.cnpg.io/v1",
    "sparkoperator.k8s.io/v1beta2",
)
"""The kinds that a cluster with the operators knows."""

_SET = {"--set": helm_python.parse_set_string, "--set-string": helm_python.parse_set_string_values}


class Helm:
    """Calls Helm with the words of its command line, as far as the tests use them."""

    def __call__(
        self, verb: str, *arguments: str, chart: Path = CHART, kinds: Sequence[str] = KINDS
    ) -> str:
        """Return what ``helm template`` or ``helm lint`` prints.

        Args:
            verb: ``template`` or ``lint``.
            arguments: The release's name, for ``template``, and options.
            chart: The chart's folder.
            kinds: The kinds that the cluster knows beside Kubernetes' own.

        Raises:
            subprocess.CalledProcessError: Helm refuses; ``stderr`` says why.
        """
        options = _parser(verb).parse_args(arguments)
        try:
            if verb == "lint":
                return _lint(chart, options)
            return _template(chart, options, kinds)
        except helm_python.HelmError as error:
            raise subprocess.CalledProcessError(1, ["helm", verb], "", str(error)) from error


class Releases:
    """Releases of our chart on one API server, each in the namespace of its name.

    Each call runs in a process with a separate home: Helm caches an API server's kinds in the home,
    and reads its path once, when the library is loaded.

    Args:
        kubeconfig: Where the API server is, and who we are there; its folder is Helm's home.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def install(self, name: str, values: Mapping[str, Any]) -> None:
        """Install a release, and do not wait until it is ready."""
        refused = self._run("install", name, values)
        assert not refused, refused

    def refusal(self, name: str, values: Mapping[str, Any]) -> str:
        """Return why an upgrade is refused, by a dry run on the server; empty if it is not."""
        return self._run("upgrade", name, values)

    def _run(self, verb: str, name: str, values: Mapping[str, Any]) -> str:
        environment = os.environ | {
            "KUBECONFIG": str(self._kubeconfig), "HOME": str(self._kubeconfig.parent),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, __file__, verb, name], input=json.dumps(values), env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _change_release(verb: str, name: str, values: dict[str, Any]) -> str:
    """Install a release or try its upgrade; return why Helm refuses, empty if it does not."""
    with helm_python.Config(namespace=name) as config:
        try:
            if verb == "install":
                config.install(CHART, name, values, namespace=name)
            else:
                config.upgrade(CHART, name, values, namespace=name, dry_run="server")
        except helm_python.HelmError as error:
            return str(error)
    return ""


def merged_values(*parts: Path | Mapping[str, Any]) -> dict[str, Any]:
    """Return values of files and of tables, of which later ones win."""
    merged: dict[str, Any] = {}
    for part in parts:
        table = part if not isinstance(part, Path) else yaml.safe_load(part.read_text("utf-8"))
        merged = _over(merged, table or {})
    return merged


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"helm {verb}", allow_abbrev=False, exit_on_error=False)
    if verb == "template":
        parser.add_argument("release")
    else:
        parser.add_argument("--strict", action="store_true")
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("-f", "--values", action="append", default=[], type=Path)
    parser.add_argument("--api-versions", action="append", default=[])
    for flag in _SET:
        parser.add_argument(flag, dest="set", action=_Set, default=[])
    return parser


class _Set(argparse.Action):
    """Keep each ``--set`` with its flag, in the order of the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        del parser
        namespace.set = [*namespace.set, (option_string, values)]


def _template(chart: Path, options: argparse.Namespace, kinds: Sequence[str]) -> str:
    how = {
        "name": options.release,
        "namespace": options.namespace,
        "kube_version": KUBERNETES,
        "api_versions": [*kinds, *options.api_versions],
    }
    with helm_python.Chart.load(chart) as loaded:
        # The package's own method has no word for the kinds.
        text = _native.call_string(
            "helm_render", loaded._raw(), json.dumps(_values(options)), json.dumps(how)
        )
    files: dict[str, str] = json.loads(text)
    return "".join(
        f"---\n# Source: {name}\n{content.strip()}\n"
        for name, content in files.items()
        if name.endswith((".yaml", ".yml", ".tpl")) and content.strip()
    )


def _lint(chart: Path, options: argparse.Namespace) -> str:
    report = helm_python.lint(
        chart, _values(options), strict=options.strict, kube_version=KUBERNETES
    )
    findings = [f"{row['path']}: {row['error']}" for row in report["messages"]]
    if report["errors"]:
        said = "\n".join([*findings, *report["errors"]])
        raise subprocess.CalledProcessError(1, ["helm", "lint"], "", said)
    return "\n".join([*findings, "1 chart(s) linted, 0 chart(s) failed"])


def _values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the values of the files, then those of the command line, which win."""
    merged = merged_values(*options.values)
    for flag, expression in options.set:
        merged = _over(merged, _SET[flag](expression))
    return merged


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        is_table = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _over(merged[name], value) if is_table else value
    return merged


if __name__ == "__main__":
    _VERB, _NAME = sys.argv[1:]
    sys.stdout.write(_change_release(_VERB, _NAME, json.load(sys.stdin)))
