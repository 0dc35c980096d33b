"""The schema registry: what it is asked, and one sentence for each refusal."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.schemas import schema_text
from clickstream_generator.core.registered_schema import RegisteredSchema
from clickstream_generator.errors import RegistryRefused
from clickstream_generator.shell.registry import Registry, variable_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "http://registry:8081/base/"


def _registry(status: int, content: object, seen: list[httpx.Request] | None = None) -> Registry:
    """Return a registry that always answers the same; ``seen`` gets the requests."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if not status:
            raise httpx.ConnectError("refused")
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return httpx.Response(status, content=iter([body]))

    return Registry(URL, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("is_registering", "path"),
    [
        (True, "/base/subjects/a%2Fb-value/versions"),
        (False, "/base/subjects/a%2Fb-value"),
    ],
)
@pytest.mark.parametrize(
    ("encoding", "kind"), [("avro", "AVRO"), ("protobuf", "PROTOBUF"), ("json-schema", "JSON")]
)
def test_schema_is_registered_or_looked_up(
    path: str, encoding: str, kind: str, *, is_registering: bool
) -> None:
    """One call has the subject, the schema and its type, and answers with the schema's number."""
    seen: list[httpx.Request] = []

    found = _registry(200, {"id": 9}, seen).schema_id(
        "a/b-value", encoding, is_registering=is_registering
    )
    (request,) = seen
    assert (found, request.method, request.url.raw_path.decode()) == (9, "POST", path)
    assert json.loads(request.content) == {"schema": schema_text(encoding), "schemaType": kind}
    assert request.headers["content-type"] == "application/vnd.schemaregistry.v1+json"


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "gzip"}])
def test_large_answer_is_not_read(headers: dict[str, str]) -> None:
    """An answer is read up to a limit, and is never decompressed."""
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * (1 << 20)

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, content=body(), headers=headers)

    registry = Registry(URL, transport=httpx.MockTransport(answer))

    with pytest.raises(RegistryRefused, match="answers with more than 4,194,304 bytes"):
        registry.schema(7)
    assert sent == 5


@pytest.mark.parametrize(
    ("status", "content", "says"),
    [
        (
            409,
            {"error_code": 409, "message": "reader\n lost 'x'"},
            "incompatible (reader lost 'x')",
        ),
        (422, {"error_code": 42201, "message": "no schema"}, "as invalid (no schema)"),
        (401, b"<html>", "refuses the user (HTTP 401)"),
        (403, {"message": "no rights"}, "refuses the user (no rights)"),
        (404, {"error_code": 40401, "message": "x"}, "has no subject topic-value"),
        (404, {"error_code": 40403, "message": "x"}, "has another schema for subject topic-value"),
        (404, b"not here", "does not answer as a schema registry (HTTP 404)"),
        (200, b"<html>welcome</html>", "does not answer as a schema registry (HTTP 200)"),
        (200, {"id": "x"}, "does not answer as a schema registry (HTTP 200)"),
        (200, [1], "does not answer as a schema registry (HTTP 200)"),
        (302, b"", "does not answer as a schema registry (HTTP 302)"),
        (500, {"error_code": 50001, "message": "store"}, "cannot answer for subject"),
    ],
)
def test_refusal_is_a_sentence(status: int, content: object, says: str) -> None:
    """Each refusal names the registry, its words, and what to do."""
    with pytest.raises(RegistryRefused) as refused:
        _registry(status, content).schema_id("topic-value", "avro", is_registering=True)

    text = str(refused.value)
    assert says in text
    assert text.startswith(f"the schema registry {URL} ")
    assert "; nothing was sent; " in text


def test_silence_is_a_sentence() -> None:
    """A registry that does not answer is named, with the cause."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    silent = Registry(URL, transport=httpx.MockTransport(fail))
    with pytest.raises(RegistryRefused, match=r"does not answer \(refused\)"):
        silent.schema_id("topic-value", "avro", is_registering=True)


def test_user_logs_in(tmp_path: Path) -> None:
    """The user's name and the file's password are sent as basic authentication."""
    (tmp_path / "password").write_text("secret\n", encoding="utf-8")
    seen: list[httpx.Request] = []
    transport = _registry(200, {"id": 1}, seen).transport

    registry = Registry(URL, "me", tmp_path / "password", transport=transport)
    registry.schema_id("topic-value", "avro", is_registering=True)
    assert seen[0].headers["authorization"].split()[1] == base64.b64encode(b"me:secret").decode()


@pytest.mark.parametrize("option", ["password", "ca"])
def test_missing_file_is_named(tmp_path: Path, option: str) -> None:
    """A file that cannot be read is named with its option, before anything is asked."""
    lost = tmp_path / "lost"
    registry = Registry(URL, "me", lost) if option == "password" else Registry(URL, ca_file=lost)

    with pytest.raises(SimulationInvalid, match=f"--registry-{option}.*lost"):
        registry.schema_id("topic-value", "avro", is_registering=True)


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nx", "ä"])
def test_certificates_must_be_certificates(tmp_path: Path, text: str) -> None:
    """A file without certificates is named with its option, before anything is asked."""
    (tmp_path / "ca.crt").write_text(text, encoding="utf-8")

    with pytest.raises(SimulationInvalid, match=r"--registry-ca-file.*in PEM"):
        Registry(URL, ca_file=tmp_path / "ca.crt").schema_id("s", "avro", is_registering=True)


@pytest.mark.parametrize(
    ("status", "content"), [(401, {}), (404, {"error_code": 40401}), (404, b"x"), (0, b"")]
)
def test_worker_names_its_variables(status: int, content: object) -> None:
    """A worker has no options, so its errors name the variables."""
    registry = replace(_registry(status, content), setting=variable_name)

    with pytest.raises(RegistryRefused) as refused:
        registry.schema_id("topic-value", "avro", is_registering=True)
    assert "CLICKSTREAM_GENERATOR_REGISTRY" in refused.value.remedy
    assert "--registry" not in refused.value.remedy


def _known(rows: dict[str, object]) -> Registry:
    """Return a registry that has an answer for some paths."""

    def answer(request: httpx.Request) -> httpx.Response:
        content = rows.get(request.url.path)
        missing = {"error_code": 40403, "message": "not there"}
        text = json.dumps(content or missing).encode()
        return httpx.Response(404 if content is None else 200, content=iter([text]))

    return Registry("http://h", transport=httpx.MockTransport(answer))


def test_schema_is_read_with_others() -> None:
    """A schema comes with all that it needs, each once and inner ones first."""
    place = {"name": "place.proto", "subject": "place", "version": 2}
    user = {"name": "user.proto", "subject": "a/user", "version": 1}
    registry = _known({
        "/schemas/ids/7": {"schema": "E", "schemaType": "PROTOBUF", "references": [user, place]},
        "/subjects/a/user/versions/1": {"schema": "U", "references": [place]},
        "/subjects/place/versions/2": {"schema": "P"},
        "/schemas/ids/8": {"schema": "A"},
    })  # fmt: skip

    found = registry.schema(7)
    assert found == RegisteredSchema("PROTOBUF", "E", {"place.proto": "P", "user.proto": "U"})
    assert list(found.references) == ["place.proto", "user.proto"]
    assert registry.schema(8) == RegisteredSchema("AVRO", "A")
    assert registry.schema(9) is None


def test_lost_reference_is_named() -> None:
    """A schema whose other schema is gone cannot be read."""
    lost = {"name": "place.proto", "subject": "place", "version": 2}
    registry = _known({"/schemas/ids/7": {"schema": "E", "references": [lost]}})

    with pytest.raises(RegistryRefused, match=r"has lost the schema 'place\.proto'"):
        registry.schema(7)


def test_endless_references_are_refused() -> None:
    """A schema that needs itself, or always another one, does not keep the judge busy."""
    inner = {"schema": "U", "references": [{"name": "a", "subject": "a", "version": 1}]}
    circle = _known({"/schemas/ids/7": inner, "/subjects/a/versions/1": inner})
    asked: list[str] = []

    def more(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        row = {"name": str(len(asked)), "subject": str(len(asked)), "version": 1}
        text = json.dumps({"schema": "U", "references": [row]}).encode()
        return httpx.Response(200, content=iter([text]))

    with pytest.raises(RegistryRefused, match=r"'a' that needs itself"):
        circle.schema(7)
    with pytest.raises(RegistryRefused, match=r"more than 100"):
        Registry("http://h", transport=httpx.MockTransport(more)).schema(7)
    assert len(asked) == 101


@pytest.mark.parametrize("rows", [7, ["place"], [{}], [{"name": "p", "subject": "p"}]])
def test_broken_reference_is_named(rows: object) -> None:
    """A reference that names no schema is an error, and no traceback."""
    registry = _known({"/schemas/ids/7": {"schema": "E", "references": rows}})

    with pytest.raises(RegistryRefused, match="a reference without name, subject, version"):
        registry.schema(7)


@pytest.mark.parametrize(("status", "content"), [(401, {}), (200, b"<html>"), (500, {})])
def test_refused_schema_is_named(status: int, content: object) -> None:
    """An answer without a schema is an error."""
    with pytest.raises(RegistryRefused):
        _registry(status, content).schema(7)
