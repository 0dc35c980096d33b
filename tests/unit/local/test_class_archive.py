"""Archives of Java classes, with a real Java: written once, used afterwards, and limited."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pyspark
import pytest
from clickstream_local.class_archive import ClassArchive
from clickstream_local.java import find_java_home

_JARS = Path(pyspark.__file__).parent / "jars"


@pytest.fixture
def java_home(tmp_path: Path) -> Path:
    """Return the home of a Java."""
    return find_java_home(os.environ, tmp_path / "cache")


@pytest.fixture
def jar(tmp_path: Path) -> Path:
    """Return a jar whose program prints a line and ends."""
    (library,) = _JARS.glob("scala-library-*.jar")
    return Path(shutil.copy(library, tmp_path / "program.jar"))


def _run(java_home: Path, jar: Path, options: tuple[str, ...]) -> str:
    """Run the jar's program, and return where its classes came from."""
    command = [
        str(java_home / "bin" / "java"), *options, "-Xlog:class+load", "-cp", str(jar),
        "scala.util.Properties",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout


def _comes_from_archive(log: str) -> bool:
    (line,) = (row for row in log.splitlines() if " scala.util.Properties$ " in row)
    return "shared objects file (top)" in line


def _draft_of(archive: ClassArchive) -> Path:
    """Let an archive be written; return the file that the JVM will write."""
    (option,) = (row for row in archive.options(os.environ) if "AtExit=" in row)
    return Path(option.partition("=")[2])


@pytest.mark.parametrize("has_own", [True, False])
def test_second_start_maps_the_archive(tmp_path: Path, jar: Path, *, has_own: bool) -> None:
    """A program's classes come from the archive of its first run, also with a bare Java."""
    home = find_java_home(os.environ, tmp_path / "cache")
    if not has_own:
        program = home / "bin" / "java"
        home = tmp_path / "bare"
        (home / "bin").mkdir(parents=True)
        (home / "bin" / "java").write_text(f'#!/bin/sh\nexec "{program}" "$@"\n', encoding="utf-8")
        (home / "bin" / "java").chmod(0o755)
    first = ClassArchive.of("program", tmp_path, home, [jar])
    assert not _comes_from_archive(_run(home, jar, first.options(os.environ)))
    assert first.is_written
    first.keep()

    second = ClassArchive.of("program", tmp_path, home, [jar])
    assert _comes_from_archive(_run(home, jar, second.options(os.environ)))
    assert not second.is_written


def test_one_process_writes(tmp_path: Path, java_home: Path, jar: Path) -> None:
    """While one process writes an archive, another starts without; what is not written is lost."""
    first, second = (ClassArchive.of("program", tmp_path, java_home, [jar]) for _ in range(2))
    assert first.options(os.environ)
    assert second.options(os.environ) == ()
    second.keep()
    first.keep()  # the JVM was killed: there is no draft
    assert not first.file.exists()

    assert second.options(os.environ)
    second.keep()


def test_killed_writer_leaves_no_lock(tmp_path: Path, java_home: Path, jar: Path) -> None:
    """After a service was killed, the next one writes, and what the first JVM wrote is removed."""
    first = ClassArchive.of("program", tmp_path, java_home, [jar])
    late = _draft_of(first)
    late.write_bytes(b"cut off")
    del first

    second = ClassArchive.of("program", tmp_path, java_home, [jar])
    assert _draft_of(second) != late
    assert not late.exists()
    second.keep()


def test_other_jar_has_its_archive(tmp_path: Path, java_home: Path, jar: Path) -> None:
    """An archive belongs to the paths, sizes and times of the jars, in any order."""
    other = Path(shutil.copy(jar, tmp_path / "other.jar"))
    made = [ClassArchive.of("program", tmp_path, java_home, [jar, other]).file]
    assert ClassArchive.of("program", tmp_path, java_home, [other, jar]).file == made[0]
    made.append(ClassArchive.of("program", tmp_path, java_home, [jar]).file)
    os.utime(jar, (1, 1))
    made.append(ClassArchive.of("program", tmp_path, java_home, [jar]).file)
    assert len(set(made)) == 3


def test_oldest_archives_are_removed(tmp_path: Path, java_home: Path, jar: Path) -> None:
    """Three archives of a service stay: those that were used last."""
    files = []
    for moment in range(1, 6):
        os.utime(jar, (moment, moment))
        archive = ClassArchive.of("program", tmp_path, java_home, [jar])
        draft = _draft_of(archive)
        draft.write_bytes(b"")
        os.utime(draft, (moment, moment))
        archive.keep()
        files.append(archive.file)
        if moment == 4:
            os.utime(jar, (2, 2))
            ClassArchive.of("program", tmp_path, java_home, [jar]).options(os.environ)
    assert [file.exists() for file in files] == [False, True, False, True, True]


def test_missing_folder_is_no_error(tmp_path: Path, java_home: Path, jar: Path) -> None:
    """Where no folder can be made, the service starts without an archive."""
    (tmp_path / "classes").write_bytes(b"")
    archive = ClassArchive.of("program", tmp_path, java_home, [jar])
    assert archive.options(os.environ) == ()
    archive.keep()


@pytest.mark.parametrize("change", ["mode", "owner"])
def test_foreign_archive_is_not_used(
    tmp_path: Path, java_home: Path, jar: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The JVM gets no classes that another user may have written."""
    archive = ClassArchive.of("program", tmp_path, java_home, [jar])
    _draft_of(archive).write_bytes(b"")
    archive.keep()
    assert archive.options(os.environ)
    if change == "mode":
        archive.file.parent.chmod(0o770)
    else:
        monkeypatch.setattr("os.getuid", lambda: os.geteuid() + 1)
    assert archive.options(os.environ) == ()
