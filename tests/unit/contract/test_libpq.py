"""libpq's variables in a process's environment."""

from __future__ import annotations

from clickstream_contract.libpq import forget_libpq


def test_libpq_variables_are_removed() -> None:
    """Libpq's variables go, and others stay."""
    others = {"PATH": "/bin", "CLICKSTREAM_PG": "1"}
    environment = {"PGHOSTADDR": "10.0.0.1", "PGSERVICE": "x", **others}

    forget_libpq(environment)

    assert environment == others
