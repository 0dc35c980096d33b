"""Download of pinned jars into a folder: ``fetch_jars.py ARTIFACTS_JSON USE FOLDER``.

Runs while the image is built. A jar with another SHA-256 than the pinned one is an error.
"""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from pathlib import Path

_REPOSITORY = "https://repo1.maven.org/maven2"


def main(pins: Path, use: str, folder: Path) -> None:
    """Download the jars that are pinned for a use, such as ``spark``."""
    for row in json.loads(pins.read_text(encoding="utf-8")):
        if row["use"] != use:
            continue
        name = f"{row['artifact']}-{row['version']}.jar"
        place = f"{row['group'].replace('.', '/')}/{row['artifact']}/{row['version']}/{name}"
        address = f"{_REPOSITORY}/{place}"
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  https, see above
            content = answer.read()
        if hashlib.sha256(content).hexdigest() != row["sha256"]:
            sys.exit(f"{name} is not the one that {pins.name} pins")
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
