"""The project's version, and every place that repeats it.

The root's ``pyproject.toml`` is the one place where a person changes it. Owns the list of the other
places and how each of them is written.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

__all__ = ["PLACES", "ROOT", "VERSION", "members", "with_version"]

ROOT = Path(__file__).parents[1]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
"""The version of this checkout."""

_NUMBER = r"\d+\.\d+\.\d+"
_IMAGE = rf"(ghcr\.io/clickstream-dev/[a-z]+:){_NUMBER}()"
_CHART = (rf"(?m)^(version: ){_NUMBER}()$", rf'(?m)^(appVersion: "){_NUMBER}(")$', _IMAGE)
_MEMBER = (
    rf'(?m)^(version = "){_NUMBER}(")$',
    rf'("clickstream(?:-[a-z]+)?==){_NUMBER}(",)',
)


def members() -> dict[str, Path]:
    """Return the ``pyproject.toml`` of each package, by the package's name."""
    files = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("apps/*/pyproject.toml")]
    return {tomllib.loads(file.read_text("utf-8"))["project"]["name"]: file for file in files}


PLACES: dict[str, tuple[str, ...]] = {
    **{
        str(file.relative_to(ROOT)): _MEMBER if name != "clickstream-contract" else _MEMBER[:1]
        for name, file in sorted(members().items())
    },
    "README.md": (rf"(REGISTRY/\$\(basename \$part\):){_NUMBER}()",),
    "compose.yaml": (rf"(\$\{{CLICKSTREAM_VERSION:-){_NUMBER}(\}})",),
    "examples/pipelines/spark-windows/Dockerfile": (_IMAGE,),
    "helm/clickstream-operators/Chart.yaml": _CHART[:1],
    "helm/clickstream/Chart.yaml": _CHART,
    "k8s/operator/deployment.yaml": (_IMAGE,),
}
"""The patterns of each file, by its path; what is between a pattern's groups is the version."""


def with_version(text: str, patterns: tuple[str, ...], version: str) -> str:
    """Return a file's text with ``version`` at each place.

    Raises:
        ValueError: The text lacks one of the places.
    """
    for pattern in patterns:
        text, count = re.subn(pattern, rf"\g<1>{version}\g<2>", text)
        if not count:
            raise ValueError(f"no version is found by {pattern}")
    return text
