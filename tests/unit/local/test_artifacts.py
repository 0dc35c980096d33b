"""Downloads: only verified files get their name; incomplete files are downloaded again."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from clickstream_local.artifacts import (
    Artifact,
    ArtifactCache,
    cache_folder,
    pinned_artifacts,
)
from clickstream_local.errors import CacheUnusable, DownloadFailed
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"a jar of sorts"
ARTIFACT = Artifact(
    "kafka", "org.example", "thing", "1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)


class _Server(ThreadingHTTPServer):
    """A server that is busy for its first answers."""

    busy_answers = 0


class _Quiet(SimpleHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        """Answer with a file, once the server is no longer busy."""
        if self.server.busy_answers:
            self.server.busy_answers -= 1
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        """Write no log."""


@contextmanager
def _repository(folder: Path, content: bytes, busy_answers: int = 0) -> Iterator[str]:
    file = folder / ARTIFACT.path
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    server = _Server(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    server.busy_answers = busy_answers
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_file_is_pinned(tmp_path: Path) -> None:
    """The artifact of a file has its size and checksum, so that the same file is accepted."""
    file = tmp_path / "a.jar"
    file.write_bytes(CONTENT)

    assert Artifact.of_file(file, "kafka", "org.example", "thing", "1.0") == ARTIFACT


def test_pinned_jar_is_downloaded_once(tmp_path: Path) -> None:
    """A complete jar is not downloaded again."""
    with _repository(tmp_path / "repository", CONTENT) as url:
        cache = ArtifactCache(tmp_path / "cache", url)
        (path,) = cache.provide([ARTIFACT], Console(quiet=True))
    assert path.read_bytes() == CONTENT

    assert cache.provide([ARTIFACT], Console(quiet=True)) == [path]


@pytest.mark.parametrize("content", [CONTENT[:5], CONTENT[::-1]])
def test_changed_jar_is_fetched_again(tmp_path: Path, content: bytes) -> None:
    """A cached file with other bytes is not used, even if it has the right size."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ARTIFACT.file_name).write_bytes(content)
    with _repository(tmp_path / "repository", CONTENT) as url:
        (path,) = ArtifactCache(tmp_path / "cache", url).provide([ARTIFACT], Console(quiet=True))

    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"something else", CONTENT + bytes(1 << 20)])
def test_other_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    """A wrong checksum or an endless file leaves nothing behind, and the error names it."""
    cache_folder = tmp_path / "cache"
    with (
        _repository(tmp_path / "repository", content) as url,
        pytest.raises(DownloadFailed, match="SHA-256"),
    ):
        ArtifactCache(cache_folder, url).provide([ARTIFACT], Console(quiet=True))

    assert list(cache_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "pauses"),
    [
        ("http://127.0.0.1:9", [2.0, 4.0, 8.0]),
        ("ftp://example.org", []),
        ("http://example.org", []),
    ],
)
def test_missing_network_is_named(tmp_path: Path, url: str, pauses: list[float]) -> None:
    """A download that fails is one sentence that says what to do; only what may pass is retried."""
    paused: list[float] = []
    with pytest.raises(DownloadFailed, match="CLICKSTREAM_MAVEN_URL"):
        ArtifactCache(tmp_path, url, paused.append).provide([ARTIFACT], Console(quiet=True))

    assert paused == pauses
    assert list(tmp_path.iterdir()) == []


def test_unwritable_cache_is_named(tmp_path: Path) -> None:
    """If the cache is not writable, the error names the variable for another folder."""
    (tmp_path / "file").touch()

    with pytest.raises(CacheUnusable, match="CLICKSTREAM_CACHE_DIR"):
        ArtifactCache(tmp_path / "file" / "jars").provide([ARTIFACT], Console(quiet=True))


@pytest.mark.parametrize("name", ["a,b", "a:b"])
def test_separators_in_the_cache_are_refused(tmp_path: Path, name: str) -> None:
    """Java's lists of files have no way to write their separators."""
    with pytest.raises(CacheUnusable, match="Java cannot read a path with"):
        cache_folder({"CLICKSTREAM_CACHE_DIR": str(tmp_path / name)})


def test_busy_repository_is_asked_again(tmp_path: Path) -> None:
    """After a response of 503 a later attempt gets the jar."""
    paused: list[float] = []
    with _repository(tmp_path / "repository", CONTENT, busy_answers=2) as url:
        cache = ArtifactCache(tmp_path / "cache", url, paused.append)
        (path,) = cache.provide([ARTIFACT], Console(quiet=True))

    assert path.read_bytes() == CONTENT
    assert paused == [2.0, 4.0]


def test_unknown_jar_is_asked_for_once(tmp_path: Path) -> None:
    """An answer of 404 stays one."""
    paused: list[float] = []
    other = replace(ARTIFACT, version="2.0")
    with (
        _repository(tmp_path / "repository", CONTENT) as url,
        pytest.raises(DownloadFailed, match="File not found"),
    ):
        ArtifactCache(tmp_path / "cache", url, paused.append).provide([other], Console(quiet=True))

    assert paused == []


def test_every_jar_is_pinned() -> None:
    """Kafka's and Spark's jars have a size and a SHA-256 each."""
    rows = pinned_artifacts("kafka") + pinned_artifacts("spark")

    assert len(rows) > 40
    assert all(len(row.sha256) == 64 and row.bytes > 0 for row in rows)


def test_jar_has_its_places() -> None:
    """A jar has a path in a repository and a flat name in the cache."""
    assert ARTIFACT.path == "org/example/thing/1.0/thing-1.0.jar"
    assert ARTIFACT.file_name == "org.example--thing--1.0.jar"


def test_environment_names_the_cache() -> None:
    """Cache and repository may be named; an empty variable counts as absent."""
    named = ArtifactCache.of(
        {"CLICKSTREAM_CACHE_DIR": "/cache", "CLICKSTREAM_MAVEN_URL": "https://mirror/maven/"}
    )
    usual = ArtifactCache.of({"CLICKSTREAM_MAVEN_URL": "", "CLICKSTREAM_CACHE_DIR": ""})

    assert (str(named.folder), named.repository) == ("/cache/jars", "https://mirror/maven")
    assert usual.repository == "https://repo1.maven.org/maven2"
    assert usual.folder == cache_folder({}) / "jars"
    assert cache_folder({}).name == "clickstream"


@pytest.mark.parametrize(
    ("content", "is_missing"),
    [(None, True), (CONTENT[:-1], True), (CONTENT + b"x", True), (CONTENT, False)],
)
def test_size_tells_whole_jars(tmp_path: Path, content: bytes | None, *, is_missing: bool) -> None:
    """A jar is missing unless there is a file of exactly its size."""
    if content is not None:
        (tmp_path / ARTIFACT.file_name).write_bytes(content)

    assert ArtifactCache(tmp_path).missing([ARTIFACT]) == ([ARTIFACT] if is_missing else [])
