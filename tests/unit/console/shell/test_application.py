"""The application: which error is which status, and what the process shows of itself."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_console.errors import DatabaseAway
from clickstream_console.settings import Settings
from clickstream_console.shell.application import application, health_server
from clickstream_console.shell.guard import SECURITY_HEADERS
from clickstream_local.ports import free_port
from console_database import MemoryDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _answered(
    tmp_path: Path,
    path: str,
    failure: Exception | None = None,
    host: str = "localhost",
    method: str = "GET",
) -> httpx.Response:
    """Return the answer to one request."""
    page = application(
        Settings(postgres_host="localhost", postgres_password_file=tmp_path / "password")
    )
    database = MemoryDatabase()
    database.failure = failure
    page.state.database = database

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(page)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


_AWAY = DatabaseAway("has gone away")


@contextmanager
def _health(tmp_path: Path, failure: Exception | None = None) -> Iterator[str]:
    """Serve the health of a console whose database may be away; return the address."""
    settings = Settings(
        postgres_host="localhost",
        postgres_password_file=tmp_path / "password",
        metrics_port=free_port(),
    )
    page = application(settings)
    page.state.database = MemoryDatabase()
    page.state.database.failure = failure
    with health_server(page, settings).in_thread():
        yield f"http://{settings.host}:{settings.metrics_port}"


@pytest.mark.parametrize(
    ("path", "failure", "status", "text"),
    [
        ("/healthz", None, 200, "alive\n"),
        ("/healthz", _AWAY, 200, "alive\n"),
        ("/readyz", None, 200, "ready\n"),
        ("/readyz", _AWAY, 503, "the database is away\n"),
    ],
)
def test_health_is_two_questions(
    tmp_path: Path, path: str, failure: Exception | None, status: int, text: str
) -> None:
    """The process is alive whatever the database does, and ready while that answers."""
    with _health(tmp_path, failure) as url:
        answer = httpx.get(url + path, trust_env=False)

    assert (answer.status_code, answer.text) == (status, text)


def test_absent_database_is_unavailable(tmp_path: Path) -> None:
    """A question that the database does not answer is 503, with when to ask again."""
    answer = _answered(tmp_path, "/api/v1/kpis?simulation=shop", _AWAY)

    assert answer.status_code == 503
    assert answer.json() == {"detail": "the database has gone away; try again soon"}
    assert answer.headers["retry-after"] == "2"


def test_metrics_are_served(tmp_path: Path) -> None:
    """The process shows its metrics."""
    with _health(tmp_path) as url:
        answer = httpx.get(f"{url}/metrics", trust_env=False)

    assert answer.status_code == 200
    assert "# TYPE clickstream_console_request_duration_seconds histogram" in answer.text


def test_page_is_served(tmp_path: Path) -> None:
    """The root is the page, and every answer has the security headers."""
    answer = _answered(tmp_path, "/")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


def test_other_hosts_are_refused(tmp_path: Path) -> None:
    """A foreign page that points a name here gets no answer, but the headers."""
    answer = _answered(tmp_path, "/", host="evil.example")

    assert answer.status_code == 400
    assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_foreign_documentation_is_off(tmp_path: Path, path: str) -> None:
    """Pages that would load scripts from elsewhere do not exist."""
    assert _answered(tmp_path, path).status_code == 404


def test_document_lists_every_route(tmp_path: Path) -> None:
    """The OpenAPI document has all routes of the API and no other."""
    document = _answered(tmp_path, "/api/v1/openapi.json").json()

    assert {path.removeprefix("/api/v1/") for path in document["paths"]} == {
        "simulations", "kpis", "kpis/hourly", "funnel", "traffic", "products", "countries",
        "devices", "channels", "sessions", "latency", "integrity", "verification",
        "live",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/", "/map.js", "/api/v1/simulations"])
def test_head_is_answered(tmp_path: Path, path: str) -> None:
    """Page, script and API answer HEAD as they answer GET, with the headers of every answer."""
    got, head = _answered(tmp_path, path), _answered(tmp_path, path, method="HEAD")

    assert head.status_code == got.status_code == 200
    assert head.headers["content-security-policy"] == got.headers["content-security-policy"]
    assert head.content == b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_health_has_its_own_port(tmp_path: Path, path: str) -> None:
    """The page's port shows neither health nor metrics."""
    assert _answered(tmp_path, path).status_code == 404


def test_health_refuses_other_hosts(tmp_path: Path) -> None:
    """A foreign page cannot read the metrics under another name."""
    with _health(tmp_path) as url:
        answer = httpx.get(f"{url}/metrics", headers={"Host": "evil.example"}, trust_env=False)

    assert answer.status_code == 400
