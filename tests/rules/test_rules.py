"""The alerts: each fires on its fault, stays silent on a healthy run, and says what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from clickstream_bench.go_programs import go_program
from clickstream_contract.metrics import METRICS, MetricKind
from clickstream_dashboards.rules import ALERTS, BACKUP_METRICS, RECORDS, RUNBOOKS
from promql import selectors

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
RULES = ROOT / "helm" / "clickstream" / "rules" / "clickstream.yaml"
CASES = Path(__file__).with_name("clickstream.yaml")
NAMES = [alert.name for alert in ALERTS]


@pytest.fixture(scope="module")
def program() -> Path:
    """The program promtool."""
    return go_program("promtool")


@pytest.fixture
def judged(program: Path, tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run the cases on rules."""

    def run(rules: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
        cases = CASES.read_text(encoding="utf-8").replace("RULES", "rules.yaml", 1)
        (tmp_path / "cases.yaml").write_text(cases.replace("RUNBOOKS", RUNBOOKS), encoding="utf-8")
        return subprocess.run(
            [program, "test", "rules", "cases.yaml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_alert_fires_on_its_fault(
    judged: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    """Promtool agrees with every case."""
    done = judged(RULES.read_text(encoding="utf-8"))

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["vector(0) > 1", "vector(1)"])
@pytest.mark.parametrize("name", NAMES)
def test_broken_alert_is_noticed(
    judged: Callable[[str], subprocess.CompletedProcess[str]], name: str, broken: str
) -> None:
    """Whichever alert is broken, a case fails and names it."""
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == name:
                rule["expr"] = broken
    done = judged(yaml.safe_dump(rules))

    assert done.returncode == 1
    assert name in done.stdout + done.stderr


@pytest.mark.slow
def test_promtool_has_no_finding(program: Path) -> None:
    """The rules are as Prometheus wants them."""
    done = subprocess.run(
        [program, "check", "rules", "--lint=all", "--lint-fatal", str(RULES)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_name_existing_series(contract_series: set[str]) -> None:
    """Every series is the contract's, recorded here, or CloudNativePG's age of a backup."""
    recorded = {*RECORDS, *(f"clickstream:threshold:{name}" for name in _thresholds())}
    for expr in (*RECORDS.values(), *(alert.expr for alert in ALERTS)):
        asked = {selector.name for selector in selectors(expr)}
        assert asked <= {*contract_series, *recorded, "|".join(BACKUP_METRICS)}, expr


def _thresholds() -> list[str]:
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule["record"].rsplit(":", 1)[1] for rule in rules["groups"][0]["rules"]]


@pytest.fixture
def contract_series() -> set[str]:
    """Names of series that the contract's metrics have."""
    suffixes = ("_bucket", "_sum", "_count")
    return {
        row.name + suffix
        for row in METRICS
        for suffix in (suffixes if row.kind is MetricKind.HISTOGRAM else ("",))
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_a_runbook(name: str) -> None:
    """Its page says what it means, how to look and what to do."""
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")

    assert page.startswith(f"# {name}\n")
    for heading in ("## What it means", "## How to look", "## What to do"):
        assert heading in page
    assert {file.stem for file in (ROOT / "docs" / "runbooks").glob("Click*.md")} == set(NAMES)
