"""Downloads: only what was pinned gets its name, and what is half there is fetched again."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from clickstream_local.artifacts import Artifact, ArtifactCache, pinned_artifacts
from clickstream_local.errors import DownloadFailed
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = b"a jar of sorts"
ARTIFACT = Artifact(
    "kafka", "org.example", "thing", "1.0", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()
)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its signature
        """Say nothing."""


@contextmanager
def _repository(folder: Path, content: bytes) -> Iterator[str]:
    file = folder / ARTIFACT.path
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_was_pinned_is_downloaded_once(tmp_path: Path) -> None:
    """A jar that is there in full is not asked for again."""
    with _repository(tmp_path / "repository", CONTENT) as url:
        cache = ArtifactCache(tmp_path / "cache", url)
        (path,) = cache.provide([ARTIFACT], Console(quiet=True))
    assert path.read_bytes() == CONTENT

    assert cache.provide([ARTIFACT], Console(quiet=True)) == [path]


def test_a_half_downloaded_jar_is_fetched_again(tmp_path: Path) -> None:
    """A file of the wrong size is not taken for the jar."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ARTIFACT.file_name).write_bytes(CONTENT[:5])
    with _repository(tmp_path / "repository", CONTENT) as url:
        (path,) = ArtifactCache(tmp_path / "cache", url).provide([ARTIFACT], Console(quiet=True))

    assert path.read_bytes() == CONTENT


def test_other_bytes_than_pinned_are_refused(tmp_path: Path) -> None:
    """A wrong checksum leaves nothing behind, and says which file."""
    cache_folder = tmp_path / "cache"
    with (
        _repository(tmp_path / "repository", b"something else") as url,
        pytest.raises(DownloadFailed, match="SHA-256"),
    ):
        ArtifactCache(cache_folder, url).provide([ARTIFACT], Console(quiet=True))

    assert list(cache_folder.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://example.org", "http://example.org"])
def test_no_network_is_one_sentence(tmp_path: Path, url: str) -> None:
    """Whatever goes wrong on the way is a DownloadFailed that says what to do."""
    with pytest.raises(DownloadFailed, match="CLICKSTREAM_MAVEN_URL"):
        ArtifactCache(tmp_path, url).provide([ARTIFACT], Console(quiet=True))


def test_every_jar_is_pinned_by_checksum() -> None:
    """Kafka's and Spark's jars have a size and a SHA-256 each."""
    rows = pinned_artifacts("kafka") + pinned_artifacts("spark")

    assert len(rows) > 40
    assert all(len(row.sha256) == 64 and row.bytes > 0 for row in rows)
