"""Names of a release's objects: within Kubernetes' limits, or refused before anything is sent."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from charts import WAYS, documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = "r" * 41
_LABEL = 63
_LIMITS = {
    "Cluster": 50,  # CloudNativePG's webhook
    "CronJob": 52,  # its Jobs have eleven characters more
    "StatefulSet": 52,  # its pods have a label with its name and eleven characters more
    "Job": _LABEL,
    "Service": _LABEL,
    "SparkApplication": _LABEL - len("-driver"),
}
_DERIVED = {
    "Kafka": ("-kafka-bootstrap", "-kafka-brokers", "-controllers-99", "-entity-operator"),
    "Cluster": ("-rw", "-ro", "-r", "-99"),
    "SparkApplication": ("-driver", "-ui-svc"),
    "StatefulSet": ("-0",),
}
"""What operators and controllers add to a name for Services and pods."""


def _problems(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        kind, name = row["kind"], row["metadata"]["name"]
        if len(name) > _LIMITS.get(kind, 253):
            yield f"{kind} {name} has {len(name)} characters"
        for suffix in _DERIVED.get(kind, ()):
            if len(name + suffix) > _LABEL:
                yield f"{name}{suffix} has {len(name + suffix)} characters"
        labels = row["metadata"].get("labels", {}).values()
        yield from (f"label {value}" for value in labels if len(value) > _LABEL)


@pytest.mark.parametrize("way", WAYS)
def test_the_longest_name_fits(helm: Callable[..., str], way: str) -> None:
    """A release with a name of 41 characters has no name over a limit, also no derived one."""
    rows = documents(helm("template", _LONGEST, "--namespace", "n" * 63, *WAYS[way]))

    assert list(_problems(rows)) == []
    assert len({(row["kind"], row["metadata"]["name"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("name", ["r" * 42, "r" * 53, "1", "2026-shop", "my.shop"])
@pytest.mark.parametrize("way", ["dev/strimzi/cnpg/spark-operator", "own-kafka/events-only"])
def test_long_name_is_refused(helm: Callable[..., str], name: str, way: str) -> None:
    """Names that Helm takes and Kubernetes does not: the sentence says which are right."""
    with pytest.raises(subprocess.CalledProcessError) as refused:
        helm("template", name, "--namespace", "clickstream", *WAYS[way])

    assert f'the release\'s name "{name}"' in refused.value.stderr
    assert "begin with a letter" in refused.value.stderr
    assert "at most 41 characters" in refused.value.stderr


def test_grafana_knows_releases_apart(helm: Callable[..., str]) -> None:
    """The name of a data source has at most 40 characters, and is another one in each namespace."""

    def source(namespace: str) -> str:
        rows = documents(helm("template", "shop", "--namespace", namespace, *WAYS["all-on"]))
        (text,) = (
            text
            for row in rows
            if row["metadata"]["name"] == "shop-grafana-datasource"
            for text in row["stringData"].values()
        )
        (found,) = (
            line.partition(": ")[2] for line in text.splitlines() if line.strip().startswith("uid:")
        )
        return str(found)

    assert source("clickstream") == "clickstream-shop"
    long = [source("n" * 50 + suffix) for suffix in ("a", "b")]
    assert long[0] != long[1]
    assert [len(name) for name in long] == [40, 40]
