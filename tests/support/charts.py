"""What charts render, made visible: each way to install, every pod, notes and passed-on values.

Owns the profiles and modes that are tested, and how one gets at what Helm prints only when it
installs and at pods that lie in other objects.
"""

from __future__ import annotations

import copy as copies
import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CLICKSTREAM", "NOTES", "WAYS", "documents", "pods", "printing_copy", "rendered"]

CLICKSTREAM = Path(__file__).parents[2] / "helm" / "clickstream"
_PROFILES = {"defaults": (), "dev": ("-f", str(CLICKSTREAM / "values-dev.yaml")),
             "production": ("-f", str(CLICKSTREAM / "values-production.yaml"))}  # fmt: skip
_KAFKA = {
    "strimzi": (),
    "own-kafka": (
        "--set", "kafka.mode=external,kafka.external.existingSecret=user",
        "--set-string", r"kafka.external.bootstrapServers=one:9092\,two:9093",
        "--set", "kafka.external.existingCaSecret=ca",
    ),
}  # fmt: skip
_POSTGRES = {
    "cnpg": (),
    "own-postgres": (
        "--set", "postgres.mode=external,postgres.external.host=db.example",
        "--set", "postgres.external.sslmode=verify-full,postgres.external.existingCaSecret=pg-ca",
        "--set", "postgres.external.owner.existingSecret=o",
        "--set", "postgres.external.writer.existingSecret=w",
        "--set", "postgres.external.reader.existingSecret=r",
        "--set", "postgres.external.verifier.existingSecret=v",
    ),
}  # fmt: skip
_SPARK = {"spark-operator": (), "driver": ("--set", "spark.mode=driver")}
_EVENTS_ONLY = ("--set", "spark.mode=none,postgres.mode=none,console.enabled=false")
_ALL_ON = (
    "--set", "podMonitor.enabled=true,quota.enabled=true",
    "--set", "console.enabled=true",
    "--set", "monitoring.dashboards.enabled=true,monitoring.rules.enabled=true",
    "--set", "operator.namespaces={clickstream}",
    "--set", "kafka.strimzi.controllers.replicas=3",
    "--api-versions", "barmancloud.cnpg.io/v1",
    "--set", "postgres.cnpg.backup.enabled=true,postgres.cnpg.backup.existingSecret=s3",
    "--set", "postgres.cnpg.backup.destinationPath=s3://backups/shop",
)  # fmt: skip
WAYS: dict[str, tuple[str, ...]] = {
    **{
        "/".join(names): tuple(word for part in parts for word in part)
        for way in itertools.product(
            *(row.items() for row in (_PROFILES, _KAFKA, _POSTGRES, _SPARK))
        )
        for names, parts in [tuple(zip(*way, strict=True))]
    },
    **{f"{name}/events-only": (*words, *_EVENTS_ONLY) for name, words in _KAFKA.items()},
    "all-on": _ALL_ON,
}
"""Helm's arguments for every profile in every mode, by name."""

NOTES = "the-notes"
"""Name of the ConfigMap in which a copy's notes are."""
_HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata:\n  text: |\n"
_VALUES = _HEAD + "    {{{{- .Values | toYaml | nindent 4 }}}}\n"


def printing_copy(chart: Path, folder: Path) -> Path:
    """Copy a chart; the copy's notes and its dependencies' values are rendered as ConfigMaps.

    Each dependency is replaced by a stand-in, whose ConfigMap has the dependency's name.
    """
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    notes = (copy / "templates" / "NOTES.txt").read_text(encoding="utf-8")
    indented = "".join(f"    {line}\n" for line in notes.splitlines())
    head = _HEAD.format(name=NOTES)
    (copy / "templates" / "the-notes.yaml").write_text(head + indented, encoding="utf-8")
    about: dict[str, Any] = yaml.safe_load((copy / "Chart.yaml").read_text(encoding="utf-8"))
    for row in about.get("dependencies", []):
        inner = copy / "charts" / row["name"]
        (inner / "templates").mkdir(parents=True)
        stand_in = {"apiVersion": "v2", "name": row["name"], "version": row["version"]}
        (inner / "Chart.yaml").write_text(yaml.safe_dump(stand_in), encoding="utf-8")
        content = _VALUES.format(name=row["name"])
        (inner / "templates" / "values.yaml").write_text(content, encoding="utf-8")
    return copy


def rendered(helm: Callable[..., str], way: str, *more: str) -> list[dict[str, Any]]:
    """Return what a way to install renders."""
    text = helm("template", "shop", "--namespace", "clickstream", *WAYS[way], *more)
    return documents(text)


def documents(text: str) -> list[dict[str, Any]]:
    """Return the objects of a YAML text, without the empty ones.

    libyaml's parser is ten times as fast as PyYAML's, and a release is long.
    """
    return [row for row in yaml.load_all(text, Loader=yaml.CSafeLoader) if row]


def pods(rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return each pod that the objects are or make, complete, with where it comes from."""
    for row in rows:
        spec, place = row.get("spec", {}), f"{row['kind']}/{row['metadata']['name']}"
        if row["kind"] == "Pod":
            yield place, row
        elif row["kind"] == "CronJob":
            yield place, spec["jobTemplate"]["spec"]["template"]
        elif row["kind"] == "SparkApplication":
            for role in ("driver", "executor"):
                template = copies.deepcopy(spec[role]["template"])
                # The Spark operator adds the image, and labels in the order in which they win.
                template["spec"]["containers"][0]["image"] = spec["image"]
                own = spec[role].get("labels", {})
                template["metadata"]["labels"] |= row["metadata"]["labels"] | own
                yield f"{place}/{role}", template
        elif "template" in spec and "spec" in spec["template"]:
            yield place, spec["template"]
        for name, text in row.get("data", {}).items():
            if row["kind"] == "ConfigMap" and name == "executor.yaml":
                template = copies.deepcopy(yaml.safe_load(text))
                template["spec"]["containers"][0]["image"] = "from.the/driver:1"
                yield f"{place}/{name}", template
