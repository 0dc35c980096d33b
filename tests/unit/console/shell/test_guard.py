"""Headers and times of every answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from clickstream_console.shell.guard import SECURITY_HEADERS, Guard
from clickstream_console.shell.telemetry import Telemetry

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


_COUNT = "clickstream_console_request_duration_seconds_count"


class _Route:
    path = "/api/v1/kpis"


def _sent(
    telemetry: Telemetry, kind: str = "http", path: str = "/", *, is_routed: bool = False
) -> list[Message]:
    """Return what a guarded application sends for one request."""
    messages: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if is_routed:
            scope["route"] = _Route()
        await send({"type": f"{kind}.response.start", "status": 200, "headers": []})
        await send({"type": f"{kind}.response.body", "body": b"x"})

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        messages.append(message)

    scope: dict[str, Any] = {"type": kind, "path": path}
    asyncio.run(Guard(app, telemetry)(scope, receive, send))
    return messages


def _headers(message: Message) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in message["headers"]}


def test_every_answer_is_guarded() -> None:
    """Each security header is set, and the body passes as it is."""
    start, body = _sent(Telemetry())

    expected = {name.lower(): value for name, value in SECURITY_HEADERS.items()}
    assert _headers(start) == {**expected, "cache-control": "no-cache"}
    assert body == {"type": "http.response.body", "body": b"x"}


def test_policy_allows_only_itself() -> None:
    """The page may load only from its origin, inline nothing, and be in no frame."""
    policy = SECURITY_HEADERS["Content-Security-Policy"].split("; ")

    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert {part.partition(" ")[2] for part in policy} == {"'none'", "'self'"}
    assert SECURITY_HEADERS["X-Content-Type-Options"] == "nosniff"
    assert SECURITY_HEADERS["X-Frame-Options"] == "DENY"
    assert SECURITY_HEADERS["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/api/v1/kpis", "no-store"),
        ("/", "no-cache"),
        ("/api", "no-cache"),
        ("/map.js", "no-cache"),
    ],
)
def test_figures_are_never_kept(path: str, kept: str) -> None:
    """A browser keeps no answer of the API, and checks the page for being current."""
    start, _ = _sent(Telemetry(), path=path)

    assert _headers(start)["cache-control"] == kept


@pytest.mark.parametrize(
    ("path", "is_routed", "route"),
    [
        ("/api/v1/kpis", True, "/api/v1/kpis"),
        ("/api/v1/nothing", False, "none"),
        ("/map.js", False, "static"),
    ],
)
def test_times_are_by_route(path: str, route: str, *, is_routed: bool) -> None:
    """The metric's label is the route's pattern, so that no caller can make up new ones."""
    telemetry = Telemetry()

    _sent(telemetry, path=path, is_routed=is_routed)

    labels = {"route": route, "status": "200"}
    assert telemetry.registry.get_sample_value(_COUNT, labels) == 1


def test_other_protocols_pass() -> None:
    """What is no HTTP request is neither measured nor changed."""
    telemetry = Telemetry()

    start, _ = _sent(telemetry, "lifespan")

    assert start["headers"] == []
    samples = [row for metric in telemetry.registry.collect() for row in metric.samples]
    assert _COUNT not in {row.name for row in samples}
