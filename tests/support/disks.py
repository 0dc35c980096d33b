"""Disks that can be full: a small file system of its own under a folder.

Owns mounting and how much fits. Mounting takes root; where there is none nothing is mounted, and
who wants a full disk is told so. It does not know what is written.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Disk"]

_ROOMY = "8g"
_SLACK_BYTES = 1 << 12
_ATTEMPTS = 100


class Disk:
    """A tmpfs in place of a folder."""

    def __init__(self, folder: Path) -> None:
        """Mount it, if we may."""
        self.folder = folder
        self.is_mounted = os.getuid() == 0 and self._mount("tmpfs", f"size={_ROOMY},mode=0755")

    def fill(self) -> None:
        """Let nothing more fit."""
        for _ in range(_ATTEMPTS):
            used = shutil.disk_usage(self.folder).used
            # Refused if more was written since the look.
            if self._mount("tmpfs", f"remount,size={used + _SLACK_BYTES}"):
                return
        raise AssertionError(f"{self.folder} grows faster than it can be filled")

    def free(self) -> None:
        """Make room again."""
        assert self._mount("tmpfs", f"remount,size={_ROOMY}")

    def unmount(self) -> None:
        """Take it away, with all that is in it."""
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)  # noqa: S607  the system's
            self.is_mounted = False

    def _mount(self, kind: str, options: str) -> bool:
        command = ["mount", "-t", kind, "-o", options, kind, str(self.folder)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
