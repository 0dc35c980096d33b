"""Licences of what our packages need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from licences import ALLOWED, EXCEPTIONS, main, needed_packages

if TYPE_CHECKING:
    import pytest


def test_needed_packages_leave_out_tools() -> None:
    """What an installation brings is listed; tools of development and our own packages are not."""
    found = needed_packages()

    assert {"pyspark", "kopf", "fastapi", "confluent-kafka"} <= set(found)
    assert not {"pytest", "mypy", "ruff", "mkdocs-material"} & set(found)
    assert not [name for name in found if name.startswith("clickstream")]


def test_exceptions_are_needed() -> None:
    """No exception is kept for a package that is gone."""
    assert set(EXCEPTIONS) <= set(needed_packages())


def test_another_licence_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Without Apache in the list a package is named, and what to do."""
    assert main(tuple(name for name in ALLOWED if name != "Apache")) == 1

    said = capsys.readouterr().err
    assert "pyspark" in said or "Apache" in said
    assert "ALLOWED in releasing/licences.py" in said
