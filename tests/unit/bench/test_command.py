"""``clickstream bench``: its arguments, and how figures are printed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import pytest
from clickstream_bench.command import app
from typer.testing import CliRunner

_FIGURES = {"events_per_second": 1234.5678, "share": 0.5}
_WINDOWS = Path("examples/pipelines/spark-windows/windows.py")


def _run(
    monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str
) -> tuple[str, list[object], dict[str, object]]:
    """Run a bench that measures nothing; return its output and what it was given."""
    given: list[object] = []
    named: dict[str, object] = {}

    def measured(*positional: object, **more: object) -> dict[str, float]:
        given.extend(positional)
        named.update(more)
        return _FIGURES

    module = import_module(f"clickstream_bench.{name}")
    monkeypatch.setattr(module, f"measure_{name}", measured)
    result = CliRunner().invoke(app, [name, *arguments])
    assert result.exit_code == 0, result.output
    return result.output, given, named


@pytest.mark.parametrize(
    ("name", "arguments", "given", "named"),
    [
        ("generator", [], [], {}),
        ("outputs", [], [1_000_000], {}),
        ("outputs", ["--events", "10000"], [10_000], {}),
        ("console", [], [], {}),
        ("pacing", [], [], {}),
        ("streaming", [], [_WINDOWS, 2_000_000], {"latencies": True, "partitions": 4}),
        (
            "streaming",
            ["--no-latencies", "--events", "1000000", "--partitions", "64"],
            [_WINDOWS, 1_000_000],
            {"latencies": False, "partitions": 64},
        ),
        ("views", [], [10_000_000, Path("helm/clickstream/dashboards")], {}),
        ("views", ["--events", "100000", "--dashboards", "x"], [100_000, Path("x")], {}),
        ("soak", [], [20.0, 5_000], {}),
        ("soak", ["--minutes", "1", "--rate", "7"], [1.0, 7], {}),
    ],
)
def test_each_bench_is_measured(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    arguments: list[str],
    given: list[object],
    named: dict[str, object],
) -> None:
    """Each command measures one component, with its arguments or their defaults."""
    output, positional, more = _run(monkeypatch, name, *arguments)

    assert (positional, more) == (given, named)
    assert [line.split() for line in output.splitlines()] == [
        ["events_per_second", "1,234.568"], ["share", "0.500"],
    ]  # fmt: skip


def test_figures_may_be_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--json`` the figures are printed whole, as one object."""
    output, _, _ = _run(monkeypatch, "pacing", "--json")

    assert json.loads(output) == _FIGURES


@pytest.mark.parametrize(
    "arguments",
    [
        ["views", "--events", "99999"],
        ["soak", "--minutes", "0.5"],
        ["soak", "--rate", "0"],
        ["streaming", "--windows", "absent.py"],
        ["x"],
    ],
)
def test_wrong_arguments_measure_nothing(arguments: list[str]) -> None:
    """An argument out of bounds, or an unknown bench, is an error."""
    assert CliRunner().invoke(app, arguments).exit_code == 2
