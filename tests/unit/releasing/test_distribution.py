"""What a release consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from distribution import CHARTS, IMAGES, main, missing_dependencies
from versions import ROOT, VERSION

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_every_image_is_known() -> None:
    """Each Dockerfile belongs to one image of the release."""
    folders = {file.parent.name for file in ROOT.glob("apps/*/Dockerfile")} | {"operator"}

    assert set(IMAGES) == folders


def test_bills_have_what_dockerfiles_install() -> None:
    """Each bill of materials is of the package, with the extras, that the image installs."""
    for name, packages in IMAGES.items():
        folder = ROOT / "operator" if name == "operator" else ROOT / "apps" / name
        text = (folder / "Dockerfile").read_text(encoding="utf-8")
        assert f"--package {' '.join(packages)}\n" in text


def test_every_chart_is_known() -> None:
    """Each chart is part of the release."""
    assert sorted(CHARTS) == sorted(file.parent for file in ROOT.glob("helm/*/Chart.yaml"))


def test_tag_of_other_version_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names both versions, and nothing is built."""
    assert main([str(tmp_path / "dist"), "--release", "99.0.0"]) == 1

    said = capsys.readouterr().err
    assert "99.0.0" in said
    assert VERSION in said
    assert not (tmp_path / "dist").exists()


def test_a_release_needs_whole_charts(tmp_path: Path) -> None:
    """The charts that a chart needs and that are not in its folder are named."""
    chart = tmp_path / "chart"
    (chart / "charts").mkdir(parents=True)
    about = {"dependencies": [{"name": "a", "version": "1.0.0"}, {"name": "b", "version": "2.0.0"}]}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about), encoding="utf-8")
    (chart / "charts" / "a-1.0.0.tgz").touch()

    assert missing_dependencies(chart) == ["b"]
