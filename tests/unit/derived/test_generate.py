"""Every derived file is current, and a stale one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from generate import derived_files, differences, repeated_versions, write
from versions import ROOT, VERSION

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def files() -> dict[str, str | None]:
    """Return every derived file."""
    return repeated_versions() | derived_files()


def test_committed_files_are_current(files: dict[str, str | None]) -> None:
    """Each committed file is as the code derives it."""
    assert differences(files) == [], "stale: run `make generate`"


def test_every_kind_is_derived(files: dict[str, str | None]) -> None:
    """Definition, topics, users, dashboards, rules, pages, charts' READMEs and the version."""
    assert {
        "k8s/definition.yaml", "k8s/kafka/topics.yaml", "k8s/kafka/users.yaml",
        "db/schema/mart/traffic_day_by_writer.sql", "helm/clickstream/dashboards/shop.json",
        "docs/metrics.md", "helm/clickstream/README.md", "helm/clickstream/Chart.yaml",
    } <= set(files)  # fmt: skip


@pytest.mark.parametrize("path", ["k8s/definition.yaml", "docs/metrics.md", "compose.yaml"])
def test_planted_edit_is_shown(tmp_path: Path, path: str) -> None:
    """An edit by hand is a difference; writing removes it."""
    committed = (ROOT / path).read_text("utf-8")
    edited = tmp_path / path
    edited.parent.mkdir(parents=True, exist_ok=True)
    edited.write_text(committed.replace("a", "b", 1), encoding="utf-8")

    assert any(line.startswith("-") for line in differences({path: committed}, tmp_path))
    write({path: committed}, tmp_path)
    assert differences({path: committed}, tmp_path) == []


def test_missing_file_is_shown(tmp_path: Path) -> None:
    """A derived file that is not committed is a difference."""
    assert "+text" in differences({"a.md": "text\n"}, tmp_path)


def test_file_without_source_goes(tmp_path: Path) -> None:
    """A dashboard that is built no more is a difference, and is deleted."""
    (tmp_path / "old.json").write_text("{}", encoding="utf-8")

    assert differences({"old.json": None}, tmp_path)[-1] == "old.json is not derived from anything"
    write({"old.json": None}, tmp_path)
    assert not (tmp_path / "old.json").exists()


def test_versions_are_repeated(files: dict[str, str | None]) -> None:
    """The charts carry the root's version."""
    assert f'appVersion: "{VERSION}"' in str(files["helm/clickstream/Chart.yaml"])
