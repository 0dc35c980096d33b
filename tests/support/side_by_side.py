"""Which tests run one after the other in one worker of pytest-xdist, and which begin first.

Owns the groups. Tests of a group share services, which their worker starts once. The longest
groups begin first, then the others that wait for services, and last the tests that only compute: so
no worker is left alone with a group that waits, while the cores have nothing to do.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from xdist.scheduler.loadscope import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest

__all__ = ["ByService", "begins_at", "group_of"]

_ROOT = Path(__file__).parents[2]
_PIPELINE, _DATABASES = "pipeline", "databases"
_ASKS_FOR_PIPELINE = re.compile(r"[(\s]pipeline: Pipeline[,)]")
_ASKS_FOR_DATABASE = re.compile(r"[(\s](database: Database|database_server: DatabaseServer)[,)]")
"""Parameters of tests and fixtures that take a shared service."""
_FIRST = (
    _PIPELINE, "faults", _DATABASES, "test_generator", "test_generate", "test_fencing",
    "test_operator", "test_security", "test_backup",
)  # fmt: skip


@cache
def group_of(file: str) -> str:
    """Return the group of a test's file.

    The faults have a pipeline of their own: while one waits for a time-out, the other works.
    """
    path = PurePath(file)
    if path.parent.name == "faults":
        return "faults"
    if path.parent.name == "integration":
        text = (_ROOT / path).read_text(encoding="utf-8")
        if _ASKS_FOR_PIPELINE.search(text):
            return _PIPELINE
        return _DATABASES if _ASKS_FOR_DATABASE.search(text) else path.stem
    return file


def begins_at(item: pytest.Item) -> int:
    """Return the place of a test's group in the order in which groups begin."""
    file = item.nodeid.partition("::")[0]
    group = group_of(file)
    if group in _FIRST:
        return _FIRST.index(group)
    needs_no_service = group == file
    return len(_FIRST) + needs_no_service


class ByService(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives whole groups to workers, in the order in which the tests were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])
