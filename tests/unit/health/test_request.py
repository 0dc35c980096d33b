"""The head of a request, and which hosts it may name."""

from __future__ import annotations

import pytest
from clickstream_health.request import Request, is_allowed, request_from


@pytest.mark.parametrize(
    ("head", "request_"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", Request("GET", "/", "")),
        (b"HEAD /a?b=/c HTTP/1.1\r\nHost: Shop:80\r\n\r\n", Request("HEAD", "/a", "shop")),
        (b"GET /a HTTP/1.1\r\nA: b\r\nhOST:  [::1]:80 \r\n\r\n", Request("GET", "/a", "[::1]")),
        (b"GET /a HTTP/1.1\r\nHost:\r\nA: b\r\n\r\n", Request("GET", "/a", "")),
        (b"GET /a HTTP/1.1\r\nX-Host: b\r\n\r\n", Request("GET", "/a", "")),
    ],
)  # fmt: skip
def test_request_is_read(head: bytes, request_: Request) -> None:
    """Method, path without its query, and host without its port are read."""
    assert request_from(head) == request_


@pytest.mark.parametrize(
    "head",
    [
        b"\r\n\r\n",
        b"GET /\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET a HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)
def test_other_heads_are_refused(head: bytes) -> None:
    """Other protocols, methods in lower case and two hosts are no requests."""
    assert request_from(head) is None


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
