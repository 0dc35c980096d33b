"""How much of the code the tests run, by package, and whether that is enough.

Owns the floors: the whole's is in ``pyproject.toml``, each file of a core has another one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CORE_PERCENT = 95.0
"""The least of each file in a ``core/``."""
_COVERAGE = str(Path(sys.executable).parent / "coverage")


def percent(summaries: list[dict[str, Any]]) -> float:
    """Return the share of lines and branches that ran."""
    total = sum(row["num_statements"] + row["num_branches"] for row in summaries)
    ran = sum(row["covered_lines"] + row["covered_branches"] for row in summaries)
    return 100.0 * ran / total if total else 100.0


def by_package(files: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the files' summaries by the name of their package."""
    packages = defaultdict(list)
    for path, row in files.items():
        parts = Path(path).parts
        packages[parts[parts.index("src") + 1]].append(row["summary"])
    return packages


def below_floor(files: dict[str, dict[str, Any]]) -> list[str]:
    """Return the files of a core that are below their floor, with what does not run."""
    return [
        f"{path}: {percent([row['summary']]):.1f} % < {CORE_PERCENT:.0f} %;"
        f" lines {row['missing_lines']}, branches {row['missing_branches']}"
        for path, row in sorted(files.items())
        if "core" in Path(path).parts and percent([row["summary"]]) < CORE_PERCENT
    ]


def main() -> int:
    """Combine what all processes wrote, print the figures, and return 1 below a floor."""
    subprocess.run([_COVERAGE, "combine", "--quiet"], cwd=ROOT, check=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        whole = subprocess.run(
            [_COVERAGE, "json", "--quiet", "-o", str(file)], cwd=ROOT, check=False
        )
        read = json.loads(file.read_text(encoding="utf-8"))
    for name, summaries in sorted(by_package(read["files"]).items()):
        print(f"{name:25} {percent(summaries):5.1f} %")  # noqa: T201
    print(f"{'whole':25} {read['totals']['percent_covered']:5.1f} %")  # noqa: T201
    low = below_floor(read["files"])
    print("\n".join(low))  # noqa: T201
    return int(bool(low) or whole.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
