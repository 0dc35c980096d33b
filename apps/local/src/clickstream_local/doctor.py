"""The doctor: checks the machine for everything that the pipeline needs.

Owns the list of checks. They change nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import urllib.error
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from clickstream_local.artifacts import ArtifactCache, cache_folder, pinned_artifacts
from clickstream_local.errors import CacheUnusable, JavaMissing
from clickstream_local.java import find_java_home
from clickstream_local.ports import LOOPBACK
from clickstream_local.postgres import binary
from clickstream_local.stack import NEEDED_BYTES
from clickstream_local.web import open_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Finding", "examine"]

_NEEDED_MEMORY_BYTES = 3 * 2**30
_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    what: str
    is_fine: bool
    says: str


def examine(environment: Mapping[str, str], folder: Path) -> Iterator[Finding]:
    """Check everything that a pipeline in ``folder`` needs."""
    version = sys.version_info
    yield Finding("Python", version >= (3, 11), f"{version.major}.{version.minor}, 3.11 is needed")
    try:
        yield Finding("Java", True, str(find_java_home(environment, cache_folder(environment))))  # noqa: FBT003  the field says what it is
    except (JavaMissing, CacheUnusable) as error:
        yield Finding("Java", False, str(error))  # noqa: FBT003  the field says what it is
    yield Finding("PostgreSQL", binary("postgres").is_file(), str(binary("postgres")))
    yield from _downloads(environment)
    free = shutil.disk_usage(_existing(folder)).free
    yield Finding(
        "Disk", free >= NEEDED_BYTES,
        f"{free / 2**30:.1f} GiB free, {NEEDED_BYTES / 2**30:.0f} are needed",
    )  # fmt: skip
    memory = psutil.virtual_memory().available
    yield Finding(
        "Memory", memory >= _NEEDED_MEMORY_BYTES,
        f"{memory / 2**30:.1f} GiB free, {_NEEDED_MEMORY_BYTES / 2**30:.0f} are needed",
    )  # fmt: skip
    yield Finding("Loopback", _can_listen(), f"{LOOPBACK} can be listened on")


def _downloads(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check the cache of downloads and their repository."""
    try:
        cache = ArtifactCache.of(environment)
    except CacheUnusable as error:
        yield Finding("Cache", False, str(error))  # noqa: FBT003  the field says what it is
        return
    parent = _existing(cache.folder)
    reason = CacheUnusable(cache.folder, f"{parent} is not writable")
    is_writable = os.access(parent, os.W_OK)
    yield Finding("Cache", is_writable, str(cache.folder) if is_writable else str(reason))
    missing = cache.missing(pinned_artifacts("kafka") + pinned_artifacts("spark"))
    size = sum(row.bytes for row in missing) / 1e6
    says = f"{len(missing)} jars to download, {size:.0f} MB" if missing else "all jars are cached"
    is_reachable = not missing or _reaches(cache.repository)
    yield Finding("Jars", is_reachable, f"{says} ({cache.repository} -> {cache.folder})")


def _existing(folder: Path) -> Path:
    """Return the folder, or its nearest existing parent."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _reaches(repository: str) -> bool:
    try:
        open_url(repository, _TIMEOUT_SECONDS, "HEAD").close()
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, ValueError):
        return False
    return True


def _can_listen() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, 0))
        except OSError:
            return False
    return True
