"""Writes jars.json: the jars that pom.xml needs, with their sizes and checksums.

Maven resolves them. Run this script when a version in pom.xml changes; everything else only reads
jars.json.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from clickstream_local.artifacts import Artifact

_HERE = Path(__file__).parent


def main() -> None:
    """Resolve the jars and write the list."""
    with tempfile.TemporaryDirectory() as name:
        command = ["mvn", "--batch-mode", "--quiet", "--file", str(_HERE / "pom.xml"),
                   "dependency:copy-dependencies", "-DincludeScope=runtime",
                   "-Dmdep.useRepositoryLayout=true", f"-DoutputDirectory={name}"]  # fmt: skip
        subprocess.run(command, check=True)
        rows = [_row(path.relative_to(name), path) for path in sorted(Path(name).rglob("*.jar"))]
    text = json.dumps(rows, indent=1) + "\n"
    (_HERE / "jars.json").write_text(text, encoding="utf-8")


def _row(place: Path, path: Path) -> dict[str, str | int]:
    *group, artifact, version, _ = place.parts
    return asdict(Artifact.of_file(path, "connect", ".".join(group), artifact, version))


if __name__ == "__main__":
    main()
