"""Write every file that derives from the code, or check that all of them are current.

Owns the list of these files. The tests of the tables' page and of the
proof's page write these pages, because both need a database.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from typing import TYPE_CHECKING

import manifests
from chart_readme import chart_parts
from clickstream_contract.schemas import SCHEMA_FILES, schema_text
from clickstream_dashboards.build import built_files
from pages import DOCS, PARTS, ROOT, renewed
from schema_parts import schema_files
from versions import PLACES, VERSION, with_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["derived_files", "differences", "repeated_versions", "write"]

_FOLDERS_OF_BUILT = ("helm/clickstream/dashboards", "helm/clickstream/rules")
"""Folders whose JSON and YAML files are all built: a file that is built no more goes."""


def repeated_versions() -> dict[str, str | None]:
    """Return the text of each file that repeats the version, by its path below the root."""
    return {
        place: with_version((ROOT / place).read_text("utf-8"), patterns, VERSION)
        for place, patterns in PLACES.items()
    }


def derived_files() -> dict[str, str | None]:
    """Return the text of each other derived file, by its path; None if the file has to go."""
    built = built_files()
    unbuilt = {
        str(file.relative_to(ROOT))
        for folder in _FOLDERS_OF_BUILT
        for file in (ROOT / folder).glob("*.[jy][sa][om]*")
    } - built.keys()
    pages = {
        **dict.fromkeys(sorted(DOCS.rglob("*.md")), PARTS),
        **{chart / "README.md": chart_parts(chart) for chart in sorted(ROOT.glob("helm/*"))},
    }
    return {
        "k8s/definition.yaml": manifests.definition(),
        "k8s/kafka/topics.yaml": manifests.topics(),
        "k8s/kafka/users.yaml": manifests.users(),
        **{f"docs/schemas/{file}": schema_text(name) for name, file in SCHEMA_FILES.items()},
        **built,
        **schema_files(),
        **dict.fromkeys(sorted(unbuilt)),
        **{
            str(page.relative_to(ROOT)): renewed(page.read_text("utf-8"), parts)
            for page, parts in pages.items()
        },
    }


def differences(files: Mapping[str, str | None], root: Path = ROOT) -> list[str]:
    """Return the lines of a unified diff from the committed to the derived files."""
    found: list[str] = []
    for path, wanted in files.items():
        file = root / path
        committed = file.read_text("utf-8") if file.exists() else ""
        found += difflib.unified_diff(
            committed.splitlines(), (wanted or "").splitlines(), path, f"{path} (derived)", n=0,
            lineterm="",
        )  # fmt: skip
        if wanted is None:
            found.append(f"{path} is not derived from anything")
    return found


def write(files: Mapping[str, str | None], root: Path = ROOT) -> None:
    """Write each derived file, and delete those that have to go."""
    for path, wanted in files.items():
        if wanted is None:
            (root / path).unlink()
        else:
            (root / path).write_text(wanted, encoding="utf-8")


def main() -> int:
    """Write the files, or with ``--check`` print what differs; return 1 if something does."""
    parser = argparse.ArgumentParser(description="Write every derived file.")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if not parser.parse_args().check:
        write(repeated_versions())  # charts' READMEs show it
        write(derived_files())
        return 0
    found = differences(repeated_versions() | derived_files())
    if found:
        print("\n".join(found[:200]))  # noqa: T201
        print("error: derived files are stale; run `make generate`", file=sys.stderr)  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
