"""Whole numbers in values: each reaches its client as digits, however large it is."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from charts import CLICKSTREAM, WAYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGE = 10_000_000
_EXPONENT = re.compile(r"[0-9]e\+[0-9]")


def _enlarged(values: Any) -> Any:  # noqa: ANN401  YAML's values
    """Return values with every whole number set to :data:`LARGE`."""
    if isinstance(values, dict):
        return {name: _enlarged(value) for name, value in values.items()}
    if isinstance(values, list):
        return [_enlarged(value) for value in values]
    is_whole = isinstance(values, int) and not isinstance(values, bool)
    return LARGE if is_whole else values


@pytest.mark.parametrize("way", ["defaults/strimzi/cnpg/spark-operator", "all-on",
                                 "production/own-kafka/own-postgres/driver"])  # fmt: skip
def test_large_integers_stay_digits(helm: Callable[..., str], tmp_path: Path, way: str) -> None:
    """With every whole number at ten million, no rendered text has an exponent."""
    values = _enlarged(yaml.safe_load((CLICKSTREAM / "values.yaml").read_text("utf-8")))
    values["postgres"]["cnpg"]["synchronous"]["number"] = LARGE - 1  # below the instances
    values["postgres"]["cnpg"]["parameters"]["autovacuum_freeze_max_age"] = LARGE
    values["streaming"]["tolerations"] = [{"operator": "Exists", "tolerationSeconds": LARGE}]
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")

    without_bounds = tmp_path / "chart"
    shutil.copytree(CLICKSTREAM, without_bounds)
    (without_bounds / "values.schema.json").unlink()

    text = helm("template", "shop", *WAYS[way], "-f", str(file), chart=without_bounds)

    assert text.count(str(LARGE)) > 10
    assert [line for line in text.splitlines() if _EXPONENT.search(line)] == []


def test_fractions_stay_fractions(ways: dict[str, list[dict[str, Any]]]) -> None:
    """A threshold that is a share of one is rendered as written."""
    (rules,) = (row for row in ways["all-on"] if row["kind"] == "PrometheusRule")
    bounds = {
        rule["record"]: rule["expr"]
        for group in rules["spec"]["groups"]
        for rule in group["rules"]
        if rule.get("record", "").startswith("clickstream:threshold:")
    }

    assert bounds["clickstream:threshold:rate_share"] == "vector(0.95)"
    assert bounds["clickstream:threshold:lag_records"] == "vector(100000)"
