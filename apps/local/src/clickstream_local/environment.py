"""The environment variables of the services.

Services get only a few variables of the user's shell. Variables of another Spark, Python, Java or
PostgreSQL are left out, and so are proxies: the services talk to each other on loopback.
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
    "NIX_",  # library paths of the loader
    "OPENBLAS_", "OMP_",  # number of compute threads
)  # fmt: skip
_DEFAULTS = {
    # A worker's small equations take a hundred times as long if its threads wait for a busy core.
    "OPENBLAS_NUM_THREADS": "1",
}
_SET = {
    # A file in the working folder cannot replace a Python module.
    "PYTHONSAFEPATH": "1",
    # Java encodes file names with the locale's encoding.
    "LC_ALL": "C.UTF-8",
}


def service_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a service, from those of this process."""
    passed = {
        name: value
        for name, value in environment.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }
    return _DEFAULTS | passed | _SET
