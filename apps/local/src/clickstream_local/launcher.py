"""Becomes another program that ends when its parent does.

Run as a script: ``launcher.py PARENT_PID USER_ID COMMAND...``. Owns the few steps between
fork and exec that must happen in the child: the user, and the signal at the parent's death
(Linux; elsewhere the parent's own order of stopping has to do). It does not know the program.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

__all__ = ["become"]

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def become(parent_pid: int, user_id: int, command: list[str]) -> None:
    """Replace this process by ``command``; does not return."""
    if user_id != os.getuid():
        os.setgroups([])
        os.setgid(user_id)
        os.setuid(user_id)
    if sys.platform == "linux":
        # After setuid, which would clear it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
