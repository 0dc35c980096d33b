"""The READMEs of the charts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from chart_readme import PASSED_ON, values_rows
from pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_CHARTS = sorted(ROOT.glob("helm/*"))


@pytest.mark.parametrize("chart", _CHARTS, ids=lambda chart: chart.name)
def test_readme_has_both_parts(chart: Path) -> None:
    """The tables of metadata and values are in it."""
    text = (chart / "README.md").read_text("utf-8")

    assert set(re.findall(r"<!-- derived: (\w+) -->", text)) == {"chart", "values"}


@pytest.mark.parametrize("chart", _CHARTS, ids=lambda chart: chart.name)
def test_links_of_the_readme_are_absolute(chart: Path) -> None:
    """A packaged chart is read where the repository's files are not."""
    links = re.findall(r"\]\(([^)]+)\)", (chart / "README.md").read_text("utf-8"))

    assert [link for link in links if not link.startswith("https://")] == []


def test_every_value_has_a_meaning() -> None:
    """The schema describes each value of the chart that is wholly ours."""
    chart = ROOT / "helm" / "clickstream"
    assert PASSED_ON not in (chart / "README.md").read_text("utf-8")


@pytest.mark.parametrize("chart", _CHARTS, ids=lambda chart: chart.name)
def test_charts_present_themselves(chart: Path) -> None:
    """Icon, home, sources, maintainers and licence are there, and the icon is in the repository."""
    about: dict[str, Any] = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
    icon = about["icon"].partition("/main/")[2]

    assert (ROOT / icon).is_file()
    assert {"home", "sources", "maintainers"} <= set(about)
    assert about["annotations"]["artifacthub.io/license"] == "Apache-2.0"
    for name, text in about["annotations"].items():
        if "\n" in text:
            assert isinstance(yaml.safe_load(text), list), name


def test_rows_follow_references() -> None:
    """A value's own description comes before its definition's; requests stay one row."""
    schema = {
        "definitions": {"port": {"description": "A port."}},
        "properties": {
            "a": {"properties": {"b": {"$ref": "#/definitions/port"}, "c": {"description": "C."}}},
            "d": {"$ref": "#/definitions/port", "description": "D."},
            "e": {"description": "E.", "properties": {"requests": {}}},
        },
    }
    values = {"a": {"b": 1, "c": []}, "d": "x", "e": {"requests": {"cpu": 1}}, "f": {"g": True}}

    assert list(values_rows(values, json.loads(json.dumps(schema)))) == [
        ("a.b", "int", 1, "A port."),
        ("a.c", "list", [], "C."),
        ("d", "string", "x", "D."),
        ("e", "object", {"requests": {"cpu": 1}}, "E."),
        ("f", "object", {"g": True}, ""),
    ]
