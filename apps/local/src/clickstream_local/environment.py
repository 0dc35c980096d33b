"""The environment of the services.

Owns which variables of the user's shell they see. Another Spark's, Python's, Java's or PostgreSQL's
are not among them, nor are proxies: the services talk to each other on loopback.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["service_environment"]

_PASSED = {
    "HOME", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ",
    "USER",
}  # fmt: skip
_PASSED_PREFIXES = (
    "CLICKSTREAM_",
    "COVERAGE_",  # a test run measures the services too
    "NIX_",  # where the loader finds libraries
    "OPENBLAS_", "OMP_",  # how many threads compute
)  # fmt: skip
_SET = {
    # No file of the working folder stands in for one of Python's modules.
    "PYTHONSAFEPATH": "1",
    # Java reads and writes file names in the locale's encoding.
    "LC_ALL": "C.UTF-8",
}


def service_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a service sees, of those that we see."""
    passed = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    return passed | _SET
