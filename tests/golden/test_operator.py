"""What the operator makes of a simulation, byte by byte; ``--update-golden`` writes it.

Each golden file is what one look at a scenario writes: status, children, events.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickstream_operator.settings import settings_from
from clusters import Cluster, resource

FOLDER = Path(__file__).parent / "operator"
_HEAD = "# What the operator writes; `pytest tests/golden --update-golden` writes it.\n"
_SETTINGS = settings_from(
    {
        "CLICKSTREAM_OPERATOR_IMAGE": "registry.example/clickstream-generator:1.0.0",
        "CLICKSTREAM_OPERATOR_NAMESPACES": "load",
        "CLICKSTREAM_OPERATOR_BOOTSTRAP_SERVERS": "kafka.data:9092",
        "CLICKSTREAM_OPERATOR_ALLOWED_SERVERS": "one:9092,two:9093,db.data:5432",
        "CLICKSTREAM_OPERATOR_ALLOWED_TOPICS": "shop-*",
        "CLICKSTREAM_OPERATOR_REGISTRIES": json.dumps(
            [
                {
                    "name": "main",
                    "url": "https://registry.data:8081",
                    "caSecret": "registry-ca-cert",
                    "credentialsSecret": "registry-login",
                }
            ]
        ),
        "CLICKSTREAM_OPERATOR_DATABASE": json.dumps(
            {"host": "shop-rw", "name": "clickstream", "secret": "reader", "keepsDays": 7}
        ),
        "CLICKSTREAM_OPERATOR_CREDENTIALS_SECRET": "generator",
        "CLICKSTREAM_OPERATOR_CA_SECRET": "kafka-ca",
    }
)
SCENARIOS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "strimzi-three-workers": {
        "kafka": {"clusterRef": {"name": "clicks"}, "credentialsSecretRef": {"name": "load"}},
        "workers": {"count": 3},
        "stopAfter": {"duration": "1h"},
    },
    "own-broker-in-plain-text": {"kafka": {"bootstrapServers": "one:9092,two:9093"}},
    "other-output": {"output": {"topic": "shop-events", "ledgerTopic": "shop-ledger"}},
    "schema-registry": {
        "output": {
            "topic": "shop-events",
            "ledgerTopic": "shop-ledger",
            "encoding": "json-schema",
            "registry": "main",
        }
    },
    "suspended": {"suspend": True},
    "verified": {"verification": {"every": "10m"}},
    "verified-with-a-mapping": {
        "verification": {
            "every": "1h",
            "mapping": {"inline": "result: {engine: postgres, table: shop.events}\n"},
            "database": {
                "host": "db.data",
                "name": "shop",
                "credentialsSecretRef": {"name": "load"},
                "caSecretRef": {"name": "db-ca"},
            },
        }
    },
    "with-pod-monitors": {},
}


class _Plain(yaml.SafeDumper):
    """YAML without anchors, and texts of several lines as they are."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's signature
        """Say that nothing is shared."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Plain.add_representer(str, _text)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_first_plan_matches_golden_files(scenario: str, request: pytest.FixtureRequest) -> None:
    """A change of anything the operator writes is seen in review."""
    cluster = Cluster(
        resource(**SCENARIOS[scenario]),
        settings=_SETTINGS,
        has_pod_monitors=scenario == "with-pod-monitors",
        secrets={"load": {"clickstream.dev/credentials": "true"}},
    )
    plan = cluster.reconcile()
    if "verification" in SCENARIOS[scenario]:
        cluster.now += 600  # the first verification begins
        plan = cluster.reconcile()
    text = _HEAD + yaml.dump_all(
        [
            {
                "status": plan.status,
                "events": [
                    {**vars(notice), "reason": notice.reason.value} for notice in plan.notices
                ],
            },
            *plan.apply,
        ],
        Dumper=_Plain,
        sort_keys=False,
        width=100,
    )
    path = FOLDER / f"{scenario}.yaml"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")

    assert path.read_text(encoding="utf-8") == text
    assert not plan.delete


def test_no_golden_file_is_left_behind() -> None:
    """Each committed file belongs to a scenario."""
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(SCENARIOS)
