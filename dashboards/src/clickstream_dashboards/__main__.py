"""Write the dashboards and rules into the repository: ``python -m clickstream_dashboards``."""

from __future__ import annotations

from pathlib import Path

from clickstream_dashboards.build import built_files

ROOT = Path(__file__).parents[3]
"""The repository, from which this package is installed."""

if __name__ == "__main__":
    for path, text in built_files().items():
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
