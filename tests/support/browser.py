"""A headless Chromium for tests of the page.

Owns finding it - on PATH, else by Debian's packages where we may install them - and its flags. As
a script it installs what is missing, beside the tests that need no browser.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["chromium", "find_chromium"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


def find_chromium() -> str:
    """Return Chromium's path; install Debian's package where it is missing and we are root."""
    # A process that comes second waits until the package is complete.
    with (Path(tempfile.gettempdir()) / "clickstream-chromium.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _which()
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            _install()
            found = _which()
    if found is None:
        pytest.fail(f"the page's tests need one of {', '.join(_NAMES)} on PATH")
    return found


def _which() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ("apt-get", "update", "--quiet=2"),
        ("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", "chromium"),
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser, and end it."""
    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; the pages are our own.
        sandbox = () if os.geteuid() else ("--no-sandbox",)
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*_ARGUMENTS, *sandbox]
        )
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    find_chromium()
