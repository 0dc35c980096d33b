"""The number of threads that linear algebra uses.

Owns it for commands; a service gets it from its environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import MutableMapping

__all__ = ["compute_in_one_thread"]

_THREADS = "OPENBLAS_NUM_THREADS"


def compute_in_one_thread(environment: MutableMapping[str, str]) -> None:
    """Let linear algebra use one thread, unless the environment says how many.

    The equations of sessions are small: more threads mostly wait for each other, and for a long
    time on a busy machine.

    Args:
        environment: The variables of the process.
    """
    if not {_THREADS, "OMP_NUM_THREADS"} & environment.keys():
        environment[_THREADS] = "1"  # for a library that is loaded later
        threadpool_limits(limits=1, user_api="blas")
