"""Builds what a release consists of, into a folder: wheels, charts, bills of materials, checksums.

Owns which parts there are. ``make dist`` runs it on any machine; the release workflow gives it the
tag's version, which must be that of ``pyproject.toml``, and uploads what it made.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import helm_python
import yaml
from versions import ROOT, VERSION

__all__ = ["CHARTS", "IMAGES", "build_bills", "build_charts", "build_wheels", "uv"]

IMAGES = {
    "console": ("clickstream-console",),
    # It has the judge, which needs the generator and a driver for PostgreSQL.
    "generator": ("clickstream-judge", "--extra", "postgres"),
    "migrations": ("clickstream-migrations",),
    "operator": ("clickstream-operator",),
    "streaming": ("clickstream-streaming", "--extra", "java"),
}
"""By image: the package and the options with which its Dockerfile calls uv."""
CHARTS = (ROOT / "helm" / "clickstream", ROOT / "helm" / "clickstream-operators")


def uv() -> str:
    """Return the program ``uv``: the one of ``make``, else the one on ``PATH``."""
    ours = ROOT / ".tools" / "bin" / "uv"
    return str(ours) if ours.is_file() else shutil.which("uv") or "uv"


def build_wheels(folder: Path) -> list[Path]:
    """Build a wheel of each package; return their files."""
    command = [uv(), "build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return sorted(folder.glob("*.whl"))


def build_charts(folder: Path) -> list[Path]:
    """Package each chart, with the charts that it depends on if they are there."""
    packed = []
    for chart in CHARTS:
        with helm_python.Chart.load(chart) as loaded:
            packed.append(Path(loaded.save(folder)))
    return packed


def missing_dependencies(chart: Path) -> list[str]:
    """Return the names of the charts that a chart needs and that are not in its folder."""
    about = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
    return [
        row["name"]
        for row in about.get("dependencies", [])
        if not (chart / "charts" / f"{row['name']}-{row['version']}.tgz").is_file()
    ]


def build_bills(folder: Path) -> list[Path]:
    """Write the CycloneDX bills of materials of command and images, from the lock file."""
    bills = []
    contents = {f"clickstream-{name}": packages for name, packages in IMAGES.items()}
    for name, packages in {"clickstream": ("clickstream",), **contents}.items():
        bill = folder / f"{name}.cdx.json"
        subprocess.run(
            [uv(), "export", "--quiet", "--frozen", "--no-dev", "--package", *packages,
             "--format", "cyclonedx1.5", "--preview-features", "sbom-export",
             "--output-file", str(bill)],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        bills.append(bill)
    return bills


def main(arguments: list[str]) -> int:
    """Build everything; return 1 if the version is another one or a chart is not whole."""
    parser = argparse.ArgumentParser(description="Build what a release consists of.")
    parser.add_argument("folder", type=Path, help="where it goes; emptied first")
    parser.add_argument("--release", default="", help="the version that the tag says")
    asked = parser.parse_args(arguments)
    if asked.release and asked.release != VERSION:
        sys.stderr.write(
            f"error: the release is {asked.release}, pyproject.toml says {VERSION}: set its"
            " version, then run `make generate` and `uv lock`\n"
        )
        return 1
    for chart in CHARTS:
        missing = ", ".join(missing_dependencies(chart))
        if missing and asked.release:
            sys.stderr.write(
                f"error: {chart.name} lacks {missing}: run `helm dependency build {chart}`\n"
            )
            return 1
        if missing:
            print(f"NOT RUN: {chart.name} is packaged without {missing}")  # noqa: T201
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    made = [*build_wheels(asked.folder), *build_charts(asked.folder), *build_bills(asked.folder)]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made]
    (asked.folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    for file in made:
        print(f"{file.stat().st_size:>12,} {file.name}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
