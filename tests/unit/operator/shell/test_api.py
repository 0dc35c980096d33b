"""The calls to the API server, against a server that records them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import kubernetes
import pytest
from clickstream_local.ports import free_port
from clickstream_operator.core.kinds import POD, POD_MONITOR
from clickstream_operator.errors import ApiRefused
from clickstream_operator.shell.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_METADATA = {"namespace": "load", "name": "shop", "uid": "u", "resourceVersion": "7"}
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass
class _Call:
    """What the server was asked."""

    method: str
    path: str
    accept: str
    content_type: str
    body: Any


@dataclass
class _Server:
    """An API server that gives the same answer to every call."""

    api: Api
    calls: list[_Call] = field(default_factory=list)


@contextmanager
def _server(
    answer: object, status: int = 200, headers: dict[str, str] | None = None
) -> Iterator[_Server]:
    calls: list[_Call] = []
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            calls.append(
                _Call(
                    self.command,
                    self.path,
                    self.headers["Accept"],
                    self.headers["Content-Type"],
                    json.loads(body) if body else None,
                )
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PATCH = do_POST = do_DELETE = _answer  # noqa: N815  http.server's names

        def log_message(self, *_: object) -> None:
            """Write no log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield _Server(_api(server.server_port), calls)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _api(port: int) -> Api:
    configuration = kubernetes.client.Configuration(host=f"http://127.0.0.1:{port}")
    return Api(configuration, "clickstream operator", 2)


def test_apply_owns_its_fields() -> None:
    """A child is applied on the server's side, by force, under the operator's name."""
    wanted = {"kind": "Deployment", "metadata": {"namespace": "load", "name": "x"}}
    with _server({"answer": 1}) as server:
        assert server.api.apply(wanted) == {"answer": 1}

    (call,) = server.calls
    assert (call.method, call.content_type) == ("PATCH", "application/apply-patch+yaml")
    assert call.path == (
        "/apis/apps/v1/namespaces/load/deployments/x?fieldManager=clickstream%20operator&force=true"
    )
    assert call.body == wanted


@pytest.mark.parametrize(
    ("items", "found"), [([{"metadata": _METADATA}], _METADATA), ([], None), (None, None)]
)
def test_find_returns_metadata(items: object, found: object) -> None:
    """An object is found by its exact name, of which only the metadata is fetched."""
    with _server({"items": items}) as server:
        assert server.api.find("Service", "load", "shop") == found

    (call,) = server.calls
    assert call.method == "GET"
    assert call.path == "/api/v1/namespaces/load/services?fieldSelector=metadata.name%3Dshop"
    assert call.accept == _NAMES_ONLY


@pytest.mark.parametrize(
    ("labels", "found"), [({"a": "b"}, {"a": "b"}), (None, {})], ids=["labelled", "bare"]
)
def test_secret_shows_only_its_labels(labels: object, found: object) -> None:
    """Of a secret only the metadata is fetched: the operator never holds a password."""
    with _server({"metadata": {**_METADATA, "labels": labels}}) as server:
        assert server.api.secret_labels("load", "user.x") == found

    (call,) = server.calls
    assert (call.method, call.path) == ("GET", "/api/v1/namespaces/load/secrets/user.x")
    assert call.accept == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def test_missing_secret_has_no_labels() -> None:
    """A secret that does not exist is no refusal; any other answer is one."""
    with _server({"message": "no"}, 404) as server:
        assert server.api.secret_labels("load", "../x") is None
    assert server.calls[0].path == "/api/v1/namespaces/load/secrets/..%2Fx"
    with _server({"message": "no"}, 403) as server, pytest.raises(ApiRefused, match="403"):
        server.api.secret_labels("load", "user")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0", 0.0), ("soon", 0.0), ("-1", 0.0), (None, 0.0)]
)
def test_refusal_keeps_the_pause(header: str | None, seconds: float) -> None:
    """A refusal says how long the API server asks to wait."""
    headers = {"Retry-After": header} if header else {}
    with _server({}, 429, headers) as server, pytest.raises(ApiRefused) as caught:
        server.api.post_event({"metadata": {"namespace": "load"}})

    assert caught.value.retry_after_seconds == seconds


def test_delete_names_the_object() -> None:
    """Exactly the object of this uid is deleted, and its children after it."""
    with _server({}) as server:
        server.api.delete("Service", _METADATA)

    (call,) = server.calls
    assert (call.method, call.path) == ("DELETE", "/api/v1/namespaces/load/services/shop")
    assert call.body == {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u"},
    }


def test_delete_accepts_not_found() -> None:
    """An object that is gone already is deleted; every other refusal is raised."""
    with _server({"message": "gone"}, 404) as server:
        server.api.delete("Service", _METADATA)
    with (
        _server({"message": "another uid"}, 409) as server,
        pytest.raises(ApiRefused, match=r"answers 409 .*: another uid$"),
    ):
        server.api.delete("Service", _METADATA)


def test_status_needs_the_version() -> None:
    """A status replaces the one before, of the version of the simulation that was read."""
    with _server({"answer": 1}) as server:
        assert server.api.write_status(_METADATA, {"workers": 2}) == {"answer": 1}

    (call,) = server.calls
    assert (call.method, call.content_type) == ("PATCH", "application/json-patch+json")
    assert call.path == (
        "/apis/clickstream.dev/v1alpha1/namespaces/load/clickstreamsimulations/shop/status"
    )
    assert call.body == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/status", "value": {"workers": 2}},
    ]


def test_pod_is_annotated() -> None:
    """Annotations are merged into a pod's."""
    with _server({"answer": 1}) as server:
        assert server.api.annotate_pod("load", "w-0", {"read": "x"}) == {"answer": 1}

    (call,) = server.calls
    assert (call.method, call.path) == ("PATCH", "/api/v1/namespaces/load/pods/w-0")
    assert call.content_type == "application/merge-patch+json"
    assert call.body == {"metadata": {"annotations": {"read": "x"}}}


def test_event_is_posted() -> None:
    """An event is created in the namespace of its object."""
    event = {"metadata": {"namespace": "load"}, "reason": "Running"}
    with _server({}) as server:
        server.api.post_event(event)

    (call,) = server.calls
    assert (call.method, call.path) == ("POST", "/api/v1/namespaces/load/events")
    assert (call.content_type, call.body) == ("application/json", event)


@pytest.mark.parametrize(
    ("resources", "is_known"),
    [([{"name": "rules"}, {"name": "podmonitors"}], True), ([{"name": "rules"}], False),
     (None, False)],
)  # fmt: skip
def test_kinds_are_looked_up(resources: object, *, is_known: bool) -> None:
    """A kind is known if its group lists it."""
    with _server({"resources": resources}) as server:
        assert server.api.has_kind(POD_MONITOR) is is_known

    assert server.calls[0].path == "/apis/monitoring.coreos.com/v1"


def test_missing_group_is_unknown() -> None:
    """A group that is not found has no kinds; any other refusal is raised."""
    with _server({"message": "no"}, 404) as server:
        assert server.api.has_kind(POD_MONITOR) is False
    with _server({"message": "no"}, 403) as server, pytest.raises(ApiRefused, match="403"):
        server.api.has_kind(POD_MONITOR)


def test_list_returns_uids() -> None:
    """A list gives its version and the uid of each object in it."""
    items = [{"metadata": {"uid": "a"}}, {"metadata": {"uid": "b"}}]
    with _server({"items": items, "metadata": {"resourceVersion": "12"}}) as server:
        assert server.api.list_uids(POD, "load", "a=b,c=d") == (12, frozenset("ab"))

    (call,) = server.calls
    assert call.path == "/api/v1/namespaces/load/pods?labelSelector=a%3Db%2Cc%3Dd"
    assert call.accept == _NAMES_ONLY


def test_empty_list_has_no_uids() -> None:
    """A list over all namespaces may hold nothing."""
    with _server({"items": None, "metadata": {"resourceVersion": "12"}}) as server:
        assert server.api.list_uids(POD, "", "") == (12, frozenset())

    assert server.calls[0].path == "/api/v1/pods?labelSelector="


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"message": "in words"}, "in words"),
        ({"reason": "Forbidden"}, '{"reason": "Forbidden"}'),
        (["x"], '["x"]'),
        (b"upstream\xff", "upstream\ufffd"),
    ],
)
def test_refusal_has_the_words(answer: object, message: str) -> None:
    """A refusal carries the status and the Status object's message, else the answer itself."""
    with _server(answer, 400) as server, pytest.raises(ApiRefused) as caught:
        server.api.list_uids(POD, "load", "")

    assert (caught.value.method, caught.value.status) == ("GET", 400)
    assert caught.value.path == "/api/v1/namespaces/load/pods?labelSelector="
    assert caught.value.message == message


def test_no_answer_is_status_zero() -> None:
    """A server that cannot be reached is a refusal without a status."""
    with pytest.raises(ApiRefused, match="does not answer to POST") as caught:
        _api(free_port()).post_event({"metadata": {"namespace": "load"}})

    assert caught.value.status == 0


def test_kubeconfig_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a service account the kubeconfig says where the API server is."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    location = "KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(kubernetes.config.kube_config, location, str(file))

    api = Api.connect("operator", 1)

    with pytest.raises(ApiRefused, match="does not answer"):
        api.find("Service", "load", "x")
