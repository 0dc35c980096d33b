"""Jars from Maven Central: pinned, verified and cached.

Owns their download. ``artifacts.json`` pins the size and SHA-256 of each jar
(``lock_artifacts.py`` writes it). A file gets its final name only if its checksum matches, and each
use verifies the checksum again.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from platformdirs import user_cache_path
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from clickstream_local.errors import CacheUnusable, DownloadFailed
from clickstream_local.web import open_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http.client import HTTPResponse

    from rich.console import Console
    from rich.progress import TaskID

__all__ = ["Artifact", "ArtifactCache", "cache_folder", "pinned_artifacts"]

_MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 60
_PARALLEL = 6
_ATTEMPTS = 4


@dataclass(frozen=True)
class Artifact:
    """One jar."""

    use: str
    """``kafka`` or ``spark``."""
    group: str
    artifact: str
    version: str
    bytes: int
    sha256: str

    @classmethod
    def of_file(cls, file: Path, use: str, group: str, artifact: str, version: str) -> Artifact:
        """Return the artifact of a jar that a resolver has downloaded, to pin it."""
        content = file.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        return cls(use, group, artifact, version, len(content), checksum)

    @property
    def file_name(self) -> str:
        """Its name in the cache."""
        return f"{self.group}--{self.artifact}--{self.version}.jar"

    @property
    def path(self) -> str:
        """Its path in a Maven repository."""
        folder = f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}"
        return f"{folder}/{self.artifact}-{self.version}.jar"


def pinned_artifacts(use: str) -> list[Artifact]:
    """Return the jars pinned for a use."""
    text = resources.files("clickstream_local").joinpath("artifacts.json").read_text("utf-8")
    return [Artifact(**row) for row in json.loads(text) if row["use"] == use]


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the cache folder: ``CLICKSTREAM_CACHE_DIR``, else the user's cache.

    Raises:
        CacheUnusable: Java cannot use the path in a list of files.
    """
    named = environment.get("CLICKSTREAM_CACHE_DIR")
    folder = Path(named).absolute() if named else user_cache_path("clickstream")
    if found := set(str(folder)) & {",", os.pathsep}:
        raise CacheUnusable(folder, f"Java cannot read a path with {' or '.join(sorted(found))}")
    return folder


@dataclass(frozen=True)
class ArtifactCache:
    """The cache of jars on this machine.

    Attributes:
        folder: The folder of the jars.
        repository: The URL of the Maven repository.
        pause: Waits for a number of seconds before a retry.
    """

    folder: Path
    repository: str = _MAVEN_CENTRAL
    pause: Callable[[float], None] = time.sleep
    _stopping: Event = field(default_factory=Event, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ArtifactCache:
        """Return the cache for the environment's settings."""
        repository = environment.get("CLICKSTREAM_MAVEN_URL") or _MAVEN_CENTRAL
        return cls(cache_folder(environment) / "jars", repository.rstrip("/"))

    def missing(self, artifacts: list[Artifact]) -> list[Artifact]:
        """Return the artifacts that are missing or have another content."""
        return [row for row in artifacts if not self._is_whole(row)]

    def provide(self, artifacts: list[Artifact], console: Console) -> list[Path]:
        """Return the jars' files, after downloading what is missing.

        Raises:
            DownloadFailed: A jar cannot be downloaded, or its checksum differs.
            CacheUnusable: The cache folder cannot be written.
        """
        missing = self.missing(artifacts)
        if missing:
            _make(self.folder)
            total = sum(row.bytes for row in missing)
            if not console.is_terminal:
                console.print(f"downloading {len(missing)} jars, {total / 1e6:.0f} MB")
            columns = (
                TextColumn("downloading jars"),
                BarColumn(),
                DownloadColumn(),
                TimeRemainingColumn(),
            )
            with (
                Progress(*columns, console=console, disable=not console.is_terminal) as progress,
                ThreadPoolExecutor(_PARALLEL) as pool,
            ):
                task = progress.add_task("jars", total=total)
                futures = [pool.submit(self._download, row, progress, task) for row in missing]
                try:
                    for future in futures:
                        future.result()
                except BaseException:
                    self._stopping.set()  # running downloads stop at their next chunk
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        return [self.folder / row.file_name for row in artifacts]

    def _is_whole(self, artifact: Artifact) -> bool:
        """Return whether the file has the pinned content."""
        try:
            with (self.folder / artifact.file_name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
        except OSError:
            return False

    def _download(self, artifact: Artifact, progress: Progress, task: TaskID) -> None:
        """Download a jar; retry temporary failures of the network or the repository."""
        url = f"{self.repository}/{artifact.path}"
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._fetch(url, artifact, progress, task)
            except (OSError, ValueError) as error:  # URLError is an OSError
                if attempt == _ATTEMPTS or not _may_pass(error):
                    raise DownloadFailed(url, str(getattr(error, "reason", error))) from error
                self.pause(float(2**attempt))
            else:
                return

    def _fetch(self, url: str, artifact: Artifact, progress: Progress, task: TaskID) -> None:
        """Download a jar under a temporary name, and rename it if its checksum matches."""
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as file:
            draft = Path(file.name)
            try:
                with _open(url) as response:
                    while not self._stopping.is_set() and (chunk := response.read(_CHUNK_BYTES)):
                        digest.update(chunk)
                        file.write(chunk)
                        progress.advance(task, len(chunk))
                        if file.tell() > artifact.bytes:
                            break  # too long already: the checksum cannot match
            except (OSError, ValueError):
                progress.advance(task, -file.tell())
                draft.unlink(missing_ok=True)
                raise
        if digest.hexdigest() != artifact.sha256:
            draft.unlink()
            raise DownloadFailed(url, "its SHA-256 differs from the pinned one")
        draft.chmod(0o644)
        draft.replace(self.folder / artifact.file_name)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheUnusable(folder, str(error)) from None
    if not os.access(folder, os.W_OK):
        raise CacheUnusable(folder, "it is not writable")


def _may_pass(error: Exception) -> bool:
    """Return whether a retry may succeed; not after a client error or with an invalid URL."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, OSError)


def _open(url: str) -> HTTPResponse:
    try:
        return open_url(url, _TIMEOUT_SECONDS)
    except urllib.error.HTTPError as refusal:
        refusal.close()  # the error is the response, with its connection
        raise
