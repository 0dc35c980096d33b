"""The receiver's options: addresses, files with secrets, and proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.core.form_tables import NATIVE
from clickstream_generator.shell.http_target import http_target, read_pairs
from clickstream_generator.shell.sink import Batch

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "dont-show"  # noqa: S105  not one


def _file(folder: Path, text: str) -> Path:
    path = folder / "pairs"
    path.write_text(text, encoding="utf-8")
    return path


def test_headers_and_query_are_sent(tmp_path: Path) -> None:
    """Headers and secret query parameters come from files, and no text shows them."""
    headers = _file(tmp_path, f"# key\nAuthorization: Bearer {SECRET}\n\nX-A: b:c\n")
    query = tmp_path / "query"
    query.write_text(f"api_secret={SECRET} &\n", encoding="utf-8")
    target = http_target("https://shop.test/mp?a=1", headers, query)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    sink = target.sink(NATIVE, lambda _: None, httpx.MockTransport(answer))
    sink.send([(b"{}", b"")], Batch())
    while not sink.poll(1.0):
        pass
    sink.close()

    (request,) = seen
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.headers["x-a"] == "b:c"
    assert dict(request.url.params) == {"a": "1", "api_secret": f"{SECRET} &"}
    assert SECRET not in repr(target)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http:x", "--output: 'http:x' is not allowed; it must be http://HOST/PATH"),
        ("http://", "it must be http://HOST/PATH"),
        ("http://a:b/", "it must be http://HOST/PATH"),
        ("http://[::1/", "it must be http://HOST/PATH"),
        ("http://a/b c", "it must be http://HOST/PATH"),
        ("http://xn--/", "it must be http://HOST/PATH"),
        ("http://a/\x7f", "it must be http://HOST/PATH"),
        (f"http://user:{SECRET} x@a/", "it must be http://HOST/PATH"),
        (f"http://user:{SECRET}@a:b/", "it must be http://HOST/PATH"),
        (f"http:?key={SECRET}", "it must be http://HOST/PATH"),
        (f"http://user:{SECRET}@a/", "--output: write no password into the address"),
        (f"http://a/?api_secret={SECRET}", "--output: write no secret into the address"),
    ],
)
def test_wrong_address_is_refused(url: str, says: str) -> None:
    """An address without a host is refused with its text, one with a secret without it."""
    with pytest.raises(SimulationInvalid) as refused:
        http_target(url)
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{SECRET}\n", "line 1: it must be NAME:VALUE"),
        (f"a b: {SECRET}\n", "line 1: it must be NAME:VALUE"),
        (f"a: b\nA: {SECRET}\n", "line 2: 'A' is not allowed; each name once"),
        ("a: b\x00\n", "line 1: it must be NAME:VALUE in printable ASCII characters"),
        ("a: é\n", "line 1: it must be NAME:VALUE in printable ASCII characters"),
        (f"a: {SECRET}\rb {SECRET}\r\n", "line 2: it must be NAME:VALUE"),
    ],
)
def test_wrong_line_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """A line that is no pair is named by its number; nothing of it is shown."""
    with pytest.raises(SimulationInvalid) as refused:
        read_pairs("--http-headers", _file(tmp_path, text), ":")
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)


def test_unusable_files_are_refused(tmp_path: Path) -> None:
    """Missing files, a header of the form, and wrong certificates are refused."""
    with pytest.raises(SimulationInvalid, match=r"--http-headers: .* it cannot be read"):
        http_target("http://a/", tmp_path / "none")
    with pytest.raises(SimulationInvalid, match="'Content-Type' is not allowed; the form decides"):
        http_target("http://a/", _file(tmp_path, "Content-Type: text/xml\n"))
    with pytest.raises(SimulationInvalid, match=r"--ca-file: .* it cannot be used"):
        http_target("https://a/", ca_file=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("host", "is_direct"),
    [("127.0.0.1", True), ("[::1]", True), ("localhost", True), ("a.localhost", True),
     ("shop.test", False), ("10.0.0.1", False)],
)  # fmt: skip
def test_loopback_needs_no_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch, *, is_direct: bool
) -> None:
    """A client of this machine ignores proxies of the environment; another one takes them."""
    wanted: list[bool] = []

    class _Client(httpx.Client):
        def __init__(self, *, trust_env: bool, **_others: object) -> None:
            wanted.append(trust_env)
            super().__init__(
                trust_env=False, transport=httpx.MockTransport(lambda _: httpx.Response(200))
            )

    monkeypatch.setattr(httpx, "Client", _Client)
    http_target(f"http://{host}:1/").sink(NATIVE, lambda _: None).close()
    assert wanted == [not is_direct]
