"""Manifests of Kubernetes that derive from the contract.

Owns the definition of the custom resource, Strimzi's topics, and Strimzi's users with their rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from clickstream_contract.access import GENERATOR, USERS
from clickstream_contract.resource import resource_definition
from clickstream_contract.topics import TOPICS
from clickstream_operator.core.destination import CREDENTIALS_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["definition", "topics", "users"]

_HEAD = "# Derived from the contract; `make generate` writes it.\n"
_SHARED = {"template": {"secret": {"metadata": {"labels": {CREDENTIALS_LABEL: "true"}}}}}
"""Simulations may name the generators' secret; Strimzi copies the label to it."""


class _Plain(yaml.SafeDumper):
    """YAML without anchors: an equal part is repeated."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's signature
        """Return True for every object: none becomes an alias."""
        return True


def definition() -> str:
    """Return the definition of the custom resource, as YAML."""
    return _HEAD + yaml.dump(resource_definition(), Dumper=_Plain, sort_keys=False, width=100)


def topics() -> str:
    """Return a KafkaTopic for each topic, as YAML documents."""
    return _documents(
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {"name": topic.name, "labels": {"strimzi.io/cluster": "clickstream"}},
            # Without a number of replicas the cluster's default applies.
            "spec": {"partitions": topic.partitions, "config": dict(topic.settings)},
        }
        for topic in TOPICS
    )


def users() -> str:
    """Return a KafkaUser with its rights for each of the contract's users, as YAML documents."""
    return _documents(
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaUser",
            "metadata": {"name": user.name, "labels": {"strimzi.io/cluster": "clickstream"}},
            "spec": {
                "authentication": {"type": "scram-sha-512"},
                **(_SHARED if user is GENERATOR else {}),
                "authorization": {
                    "type": "simple",
                    "acls": [
                        {
                            "type": "allow",
                            "resource": {
                                "type": right.kind,
                                "name": right.name,
                                "patternType": "prefix" if right.is_prefix else "literal",
                            },
                            "operations": list(right.operations),
                        }
                        for right in user.rights
                    ],
                },
            },
        }
        for user in USERS
    )


def _documents(rows: Iterable[dict[str, Any]]) -> str:
    return _HEAD + yaml.dump_all(rows, Dumper=_Plain, sort_keys=False, width=100)
