"""The Kubernetes API: the few calls that the operator makes.

Owns how a call is sent and which error a refusal becomes. Objects are plain mappings. The calls
block: callers run them in threads.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import kubernetes
import urllib3

from clickstream_operator.core.kinds import CHILD_KINDS, POD, SIMULATION
from clickstream_operator.errors import ApiRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from clickstream_operator.core.kinds import Kind, Object

__all__ = ["Api"]

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE = "application/merge-patch+json"
_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_CONNECT_SECONDS, _ANSWER_SECONDS = 5, 20
_NOT_FOUND, _REFUSED = 404, 400


class Api:
    """Calls to one API server.

    Args:
        configuration: The server's address and the operator's credentials.
        field_manager: The name that owns the fields.
        connections: The highest number of calls at a time.
    """

    def __init__(
        self, configuration: kubernetes.client.Configuration, field_manager: str, connections: int
    ) -> None:
        configuration.connection_pool_maxsize = connections
        configuration.retries = False
        self._client = kubernetes.client.ApiClient(configuration)
        self._field_manager = field_manager

    @classmethod
    def connect(cls, field_manager: str, connections: int) -> Self:
        """Connect as the pod's service account, or as the kubeconfig says.

        Raises:
            kubernetes.config.ConfigException: There is neither.
        """
        configuration = kubernetes.client.Configuration()
        try:
            kubernetes.config.load_incluster_config(client_configuration=configuration)
        except kubernetes.config.ConfigException:
            kubernetes.config.load_kube_config(client_configuration=configuration)
        return cls(configuration, field_manager, connections)

    def apply(self, wanted: Object) -> Object:
        """Apply one child's desired state on the server; return the object as it is now."""
        metadata = wanted["metadata"]
        path = CHILD_KINDS[wanted["kind"]].path(metadata["namespace"], metadata["name"])
        query = f"?fieldManager={quote(self._field_manager)}&force=true"
        return self._call("PATCH", path + query, wanted, _APPLY)

    def find(self, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return the metadata of the object that has a name, if one has."""
        path = f"{CHILD_KINDS[kind].path(namespace)}?fieldSelector=metadata.name%3D{quote(name)}"
        found = self._call("GET", path, accept=_NAMES_ONLY)
        rows: list[Object] = found["items"] or []
        return rows[0]["metadata"] if rows else None

    def secret_labels(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """Return a secret's labels, or ``None`` without the secret; its content is not sent."""
        path = f"/api/v1/namespaces/{namespace}/secrets/{quote(name, safe='')}"
        try:
            found = self._call("GET", path, accept=_METADATA_ONLY)
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        labels: Mapping[str, str] = found["metadata"].get("labels") or {}
        return labels

    def delete(self, kind: str, metadata: Mapping[str, Any]) -> None:
        """Delete exactly this child; a child that is gone already is no error."""
        path = CHILD_KINDS[kind].path(metadata["namespace"], metadata["name"])
        body = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": {"uid": metadata["uid"]},
        }
        try:
            self._call("DELETE", path, body)
        except ApiRefused as error:
            if error.status != _NOT_FOUND:
                raise

    def write_status(self, metadata: Mapping[str, Any], status: Mapping[str, Any]) -> Object:
        """Replace a simulation's status, unless another writer has changed the simulation."""
        path = SIMULATION.path(metadata["namespace"], metadata["name"], "status")
        # A merge patch would keep the fields that the new status does not have.
        body = [
            {
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": metadata["resourceVersion"],
            },
            {"op": "add", "path": "/status", "value": status},
        ]
        return self._call("PATCH", path, body, _JSON_PATCH)

    def annotate_pod(self, namespace: str, name: str, annotations: Mapping[str, str]) -> Object:
        """Set annotations of a pod."""
        body = {"metadata": {"annotations": dict(annotations)}}
        return self._call("PATCH", POD.path(namespace, name), body, _MERGE)

    def post_event(self, event: Object) -> None:
        """Post an event about an object."""
        path = f"/api/v1/namespaces/{event['metadata']['namespace']}/events"
        self._call("POST", path, event)

    def has_kind(self, kind: Kind) -> bool:
        """Return whether the API server has a kind of object."""
        try:
            found = self._call("GET", f"/apis/{kind.group}/{kind.version}")
        except ApiRefused as error:
            if error.status == _NOT_FOUND:
                return False
            raise
        return any(row["name"] == kind.plural for row in found["resources"] or ())

    def list_uids(self, kind: Kind, namespace: str, selector: str) -> tuple[int, frozenset[str]]:
        """Return a list's resource version, and the uids in it.

        Args:
            kind: Which objects.
            namespace: Where; empty for all namespaces.
            selector: By which labels.
        """
        path = f"{kind.path(namespace)}?labelSelector={quote(selector)}"
        found = self._call("GET", path, accept=_NAMES_ONLY)
        uids = frozenset(row["metadata"]["uid"] for row in found["items"] or ())
        return int(found["metadata"]["resourceVersion"]), uids

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | list[Object] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        headers = {"Accept": accept, "Content-Type": content_type}
        route = self._client.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            answer = self._client.call_api(
                *route[:4], _request_timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS)
            )
            content = answer.read()
        except (urllib3.exceptions.HTTPError, kubernetes.client.ApiException) as error:
            raise ApiRefused(method, path, 0, str(error)) from None
        if answer.status >= _REFUSED:
            pause = _seconds(answer.getheader("Retry-After"))
            raise ApiRefused(method, path, answer.status, _message(content), pause)
        found: Object = json.loads(content)
        return found


def _seconds(header: str | None) -> float:
    """Return the seconds of a ``Retry-After``, which the API server writes as a whole number."""
    return float(header) if header and header.isascii() and header.isdigit() else 0.0


def _message(content: bytes) -> str:
    """Return the API server's own words, which are in a Status object."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace")
