"""The environment of the services."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from clickstream_local.environment import service_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    [
        "SPARK_HOME", "SPARK_CONF_DIR", "PYTHONPATH", "PYTHONHOME", "PYSPARK_PYTHON",
        "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "http_proxy",
        "HTTPS_PROXY", "all_proxy", "PGCLIENTENCODING", "PGSERVICE", "PGHOSTADDR", "PGOPTIONS",
        "LANG", "LC_CTYPE", "LD_PRELOAD", "KAFKA_OPTS", "HADOOP_CONF_DIR",
    ],
)  # fmt: skip
def test_foreign_variables_are_dropped(name: str) -> None:
    """A variable for another Spark, Python, Java or PostgreSQL, or of a proxy, is not passed on."""
    assert name not in service_environment({name: "/elsewhere", "PATH": "/bin"})


def test_own_variables_are_passed() -> None:
    """Services see the user's home, path and our own settings; texts are UTF-8."""
    ours = {
        "HOME": "/home/a",
        "PATH": "/bin",
        "CLICKSTREAM_GENERATOR_SNAPSHOT_SECONDS": "1",
        "OPENBLAS_NUM_THREADS": "2",
    }

    environment = service_environment({**ours, "LC_ALL": "C"})

    assert environment == {**ours, "LC_ALL": "C.UTF-8", "PYTHONSAFEPATH": "1"}


def test_process_computes_in_one_thread() -> None:
    """Processes share the cores, so each computes in one thread unless the user says otherwise."""
    assert service_environment({})["OPENBLAS_NUM_THREADS"] == "1"


def test_working_folder_hides_no_module(tmp_path: Path) -> None:
    """A file called like one of Python's modules is not imported by a service."""
    (tmp_path / "secrets.py").write_text("raise SystemExit('the wrong module')\n")

    done = subprocess.run(
        [sys.executable, "-m", "clickstream_generator"],
        cwd=tmp_path, env=service_environment({}), capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr.splitlines()[-1][:6]) == (2, "error:")
