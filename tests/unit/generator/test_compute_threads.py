"""The number of threads that linear algebra uses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_TWO = {"OPENBLAS_NUM_THREADS": "2"}
_FIRST, _LATER = "import numpy", "compute_in_one_thread(os.environ)"
_SHOWN = """
import os
from threadpoolctl import threadpool_info
from clickstream_generator.compute_threads import compute_in_one_thread
{first}
{later}
print([row["num_threads"] for row in threadpool_info() if row["user_api"] == "blas"])
"""


@pytest.mark.parametrize(
    ("first", "later", "set_threads", "threads"),
    [(_FIRST, _LATER, {}, 1), (_LATER, _FIRST, {}, 1), (_FIRST, _LATER, _TWO, 2)],
)
def test_commands_use_one_thread(
    first: str, later: str, set_threads: dict[str, str], threads: int
) -> None:
    """One thread computes, before and after numpy is loaded, unless the user says how many."""
    environment = {name: value for name, value in os.environ.items() if "_THREADS" not in name}
    shown = subprocess.run(
        [sys.executable, "-c", _SHOWN.format(first=first, later=later)],
        check=True,
        capture_output=True,
        text=True,
        env=environment | set_threads,
    )
    assert shown.stdout.strip() == f"[{threads}]"
