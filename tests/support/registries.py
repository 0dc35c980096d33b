"""A real schema registry: Apicurio, which has the API of Confluent's registry.

Owns its download, with a pinned checksum, and its process. It keeps its schemas in memory.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

from clickstream_local.artifacts import cache_folder
from clickstream_local.java import find_java_home
from clickstream_local.ports import free_port
from clickstream_local.processes import ServiceProcess
from clickstream_local.web import open_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["registry_url"]

_NAME = "apicurio-registry-app-3.0.9"
_URL = f"https://repo1.maven.org/maven2/io/apicurio/apicurio-registry-app/3.0.9/{_NAME}-all.tar.gz"
_SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
_DOWNLOAD_SECONDS, _START_SECONDS = 60.0, 240.0


def registry_url(folder: Path) -> Iterator[str]:
    """Start a registry, yield its URL, and stop it.

    Args:
        folder: The folder for its log.
    """
    home = _installed()
    java = find_java_home(os.environ, cache_folder(os.environ)) / "bin" / "java"
    port = free_port()
    command = [
        str(java), "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
        "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}",
        "-jar", str(home / f"{_NAME}-runner.jar"),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
    process = ServiceProcess.start("registry", command, folder / "registry.log", os.environ)
    try:
        process.wait_until(lambda: _answers(url), _START_SECONDS)
        yield url
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        with open_url(f"{url}/subjects", 5):
            return True
    except OSError:
        return False


def _installed() -> Path:
    """Return the registry's folder; the first time, download 109 MB."""
    target = cache_folder(os.environ) / "tools" / _NAME
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            packed = target.with_suffix(".tar.gz")
            with open_url(_URL, _DOWNLOAD_SECONDS) as source, packed.open("wb") as file:
                digest = hashlib.sha256()
                while part := source.read(1 << 20):
                    digest.update(part)
                    file.write(part)
            assert digest.hexdigest() == _SHA256, f"{_URL} has another content"
            made = target.with_suffix(".part")
            with tarfile.open(packed) as archive:
                archive.extractall(made, filter="data")
            made.rename(target)
            packed.unlink()
    return target
