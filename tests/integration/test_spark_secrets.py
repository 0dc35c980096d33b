"""Spark's driver takes executors that know its secret, and no others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyspark
import pytest
from charts import spark_conf
from clickstream_local.artifacts import cache_folder
from clickstream_local.environment import service_environment
from clickstream_local.java import find_java_home

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [pytest.mark.services, pytest.mark.slow]

_DRIVER = """
import sys
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local-cluster[1,1,512]")
for option in sys.argv[1:]:
    builder = builder.config(*option.split("=", 1))
session = builder.getOrCreate()
frame = session.range(100).mapInPandas(lambda rows: rows, "id long")
conf = session.sparkContext.getConf()
print("at", conf.get("spark.driver.host"), conf.get("spark.driver.port"), frame.count(), flush=True)
sys.stdin.read()
session.stop()
"""
_PLAIN = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.executor.memory": "512m",
}


def _stranger(java_home: Path, host: str, port: str, folder: Path) -> subprocess.Popen[str]:
    """Start an executor that nobody asked for, and that knows no secret."""
    jars = Path(pyspark.__file__).parent / "jars"
    command = [
        str(java_home / "bin" / "java"), "-cp", f"{jars}/*",
        "org.apache.spark.executor.CoarseGrainedExecutorBackend",
        "--driver-url", f"spark://CoarseGrainedScheduler@{host}:{port}", "--executor-id", "77",
        "--bind-address", "127.0.0.1", "--hostname", "127.0.0.1", "--cores", "1",
        "--app-id", "any", "--resourceProfileId", "0",
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    )


def _says(process: subprocess.Popen[str], *words: str) -> str:
    """Return the first line that has one of these words; empty if the process ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        if any(word in line for word in words):
            return line
    return ""


def _is_taken(conf: Mapping[str, str], folder: Path) -> bool:
    """Return whether a driver with this configuration, which works, takes a stranger."""
    java_home = find_java_home(os.environ, cache_folder(os.environ))
    environment = service_environment(os.environ) | {"JAVA_HOME": str(java_home)}
    options = [f"{name}={value}" for name, value in (_PLAIN | dict(conf)).items()]
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER, *options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder,
    )  # fmt: skip
    try:
        _, host, port, rows = _says(driver, "at ").split()
        assert rows == "100", "the driver's own executor works"
        stranger = _stranger(java_home, host, port, folder)
        try:
            return "Successfully registered" in _says(stranger, "Successfully registered")
        finally:
            stranger.kill()
            stranger.wait()
    finally:
        assert driver.stdin is not None
        driver.stdin.close()
        driver.wait(60)


def test_stranger_is_no_executor(ways: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """With the chart's configuration a process that reaches the driver's port gets no task."""
    chart = {
        name: value
        for name, value in spark_conf(ways["defaults/strimzi/cnpg/driver"]).items()
        if name.startswith(("spark.authenticate", "spark.network.crypto"))
    }
    assert chart
    # On Kubernetes Spark draws it by itself.
    secret = {"spark.authenticate.secret": os.urandom(16).hex()}

    assert not _is_taken(chart | secret, tmp_path)
    assert _is_taken({}, tmp_path), "without it every process is an executor"
