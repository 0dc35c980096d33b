"""A wall clock that is wrong for some processes, and leaps.

Owns how a process is given another time than ours: by libfaketime
(https://github.com/wolfcw/libfaketime), or in Python alone where libfaketime makes a library's
waits go wrong (librdkafka's). The monotonic clock stays right, as it does where a wall clock is
set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

__all__ = ["WrongClock", "wrong_in_python"]

_FAR_SECONDS = 60.0
_SITE = """
import time
_right = time.time
time.time = lambda: _right() + {seconds}
"""


class WrongClock:
    """One clock.

    Args:
        file: The file with its offset; processes read it each time.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def leap(self, offset: str) -> None:
        """Let it be off by so much from now on.

        Args:
            offset: As libfaketime reads it, such as ``+1d`` or ``-1h``.
        """
        beside = self._file.with_suffix(".new")
        beside.write_text(offset, encoding="ascii")
        beside.replace(self._file)

    def environment(self) -> dict[str, str]:
        """Return what a process that is to live by it must find in its environment.

        It must be off by then.
        """
        package = find_spec("libfaketime")
        assert package is not None
        assert package.origin is not None
        library = Path(package.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
        preloaded = [str(library), *filter(None, [os.environ.get("LD_PRELOAD")])]
        found = {
            "LD_PRELOAD": ":".join(preloaded),
            "FAKETIME_TIMESTAMP_FILE": str(self._file.absolute()),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # As the C library has kept them since 2.28; otherwise the JVM waits for ever.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        }
        # A library of another machine's kind is passed over, with a message that is not read.
        command = [sys.executable, "-c", "import time; print(time.time())"]
        printed = subprocess.check_output(command, env=os.environ | found)
        assert abs(float(printed) - time.time()) > _FAR_SECONDS, "libfaketime does not work here"
        return found


def wrong_in_python(folder: Path, seconds: int) -> dict[str, str]:
    """Return what a Python process must find in its environment to be off by so many seconds."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_SITE.format(seconds=seconds), encoding="ascii")
    return {"PYTHONPATH": str(folder.absolute())}
