"""The launcher: becomes another program, which ends when its parent ends.

Run as a script: ``launcher.py PARENT_PID USER_ID COMMAND...``. It does the steps that must happen
in the child between fork and exec: it sets the user, and the signal at the parent's death (only on
Linux; elsewhere the parent must stop its children).
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
    """Replace this process with ``command``; never return."""
    if user_id != os.getuid():
        os.setgroups([])
        os.setgid(user_id)
        os.setuid(user_id)
    if sys.platform == "linux":
        # After setuid, which clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != parent_pid:
        sys.exit("the parent is gone")
    os.execvp(command[0], command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    become(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
