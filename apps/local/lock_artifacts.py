"""Writes the list of jars that the local mode downloads, with their checksums.

The Ivy that pyspark ships resolves both sets of jars from Maven Central into a temporary folder.
Run this script when a version changes: ``python apps/local/lock_artifacts.py``.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

import pyspark
from clickstream_local.artifacts import Artifact

_WANTED = {
    "kafka": ("org.apache.kafka", "kafka_2.13", "4.3.1"),
    "spark": ("org.apache.spark", "spark-sql-kafka-0-10_2.13", "4.1.1"),
}
_SPARK_HAS = "hadoop-client-", "scala-", "slf4j-", "snappy-", "lz4-", "jsr305", "spark-tags"
"""Name prefixes of jars that pyspark ships or does not need."""
_LOCK = Path(__file__).parent / "src" / "clickstream_local" / "artifacts.json"
_SETTINGS = """<ivysettings><settings defaultResolver="central"/>
<caches defaultCacheDir="{folder}/cache"/>
<resolvers><ibiblio name="central" m2compatible="true" root="https://repo1.maven.org/maven2/"/>
</resolvers></ivysettings>"""


def main() -> None:
    """Resolve both sets and write the list."""
    ivy = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = folder / "ivysettings.xml"
        settings.write_text(_SETTINGS.format(folder=folder), encoding="utf-8")
        for use, dependency in _WANTED.items():
            pattern = f"{folder}/{use}/[organisation]--[artifact]--[revision].[ext]"
            command = ["java", "-jar", str(ivy), "-settings", str(settings), "-confs", "default"]
            command += ["-dependency", *dependency, "-retrieve", pattern]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            rows += [_row(use, path) for path in sorted((folder / use).iterdir())]
    kept = [
        row for row in rows if row["use"] != "spark" or not row["artifact"].startswith(_SPARK_HAS)
    ]
    _LOCK.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _row(use: str, path: Path) -> dict[str, str | int]:
    return asdict(Artifact.of_file(path, use, *path.stem.split("--")))


if __name__ == "__main__":
    main()
