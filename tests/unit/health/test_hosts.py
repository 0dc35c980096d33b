"""The host that a request names, and whether it may."""

from __future__ import annotations

import pytest
from clickstream_health.hosts import host_of, is_allowed


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("", ""), ("Shop", "shop"), ("shop:80", "shop"), (" shop:", "shop"), ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"), ("a:b:c", "a:b"),
    ],
)  # fmt: skip
def test_host_has_no_port(header: str, host: str) -> None:
    """The name is in lower case, without the port; an address of IPv6 keeps its colons."""
    assert host_of(header) == host


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("any", (), True),
        ("", (), True),
        ("shop", ("localhost", "Shop"), True),
        ("", ("localhost",), False),
        ("evil.localhost", ("localhost",), False),
        ("a.shop.test", ("*.shop.test",), True),
        ("shop.test", ("*.shop.test",), False),
        ("evilshop.test", ("*.shop.test",), False),
    ],
)
def test_hosts_are_compared(host: str, allowed: tuple[str, ...], *, expected: bool) -> None:
    """Without names any host is allowed; else the names, and those below a domain."""
    assert is_allowed(host, allowed) is expected
