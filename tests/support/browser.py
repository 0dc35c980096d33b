"""A headless Chromium for tests of the page.

Owns finding it - on PATH, else by Debian's packages where we may install them - and its flags.
It does not know what a test wants to see.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
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
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (
            ("apt-get", "update", "--quiet=2"),
            ("apt-get", "install", "--quiet=2", "--yes", "--no-install-recommends", "chromium"),
        ):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail(f"the page's tests need one of {', '.join(_NAMES)} on PATH")
    return found


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
