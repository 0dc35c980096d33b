"""The reasons of conditions and events: one word each, and what it means.

The table of docs/operator.md is derived from this module.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason"]


class Reason(StrEnum):
    """Why a condition has its status, or why the operator posts an event."""

    RUNNING = "Running"
    """All workers run and send."""
    WORKERS_STARTING = "WorkersStarting"
    """Not every worker is ready yet."""
    SUSPENDED = "Suspended"
    """``spec.suspend`` is true."""
    COMPLETED = "Completed"
    """``spec.stopAfter`` is reached, and Kafka has acknowledged every event."""
    INVALID_SPEC = "InvalidSpec"
    """The spec contradicts itself in a way that the API server cannot detect; running workers keep
    running."""
    NO_BROKER = "NoBroker"
    """Neither the simulation nor the operator names a Kafka."""
    SERVERS_REFUSED = "ServersRefused"
    """``spec.kafka.bootstrapServers`` names a server that the operator's settings do not allow;
    there are no workers."""
    TOPIC_REFUSED = "TopicRefused"
    """``spec.output`` names a topic that the operator's settings do not allow; there are no
    workers."""
    REGISTRY_REFUSED = "RegistryRefused"
    """``spec.output.registry`` names a registry that the operator's settings do not have; there are
    no workers."""
    TLS_REQUIRED = "TlsRequired"
    """The credentials would go over a connection without TLS; there are no workers."""
    CREDENTIALS_REFUSED = "CredentialsRefused"
    """The secret of ``spec.kafka.credentialsSecretRef`` does not exist or has no label
    ``clickstream.dev/credentials: "true"``; there are no workers."""
    POLICY_REFUSED = "PolicyRefused"
    """The API server refuses the workers' NetworkPolicy; no worker starts without it."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The node cannot pull the generator's image."""
    UNSCHEDULABLE = "Unschedulable"
    """No node has room for a worker."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """A ResourceQuota allows no more objects."""
    PODS_REFUSED = "PodsRefused"
    """The API server refuses the pods, for example because of an admission policy."""
    CHILD_REFUSED = "ChildRefused"
    """The API server refuses another child, or a foreign object has its name; the operator does not
    change a foreign object."""
    WORKER_MISCONFIGURED = "WorkerMisconfigured"
    """A worker ended because of a setting, such as a missing secret."""
    SHARDS_TAKEN = "ShardsTaken"
    """Another worker took the shards of a paused worker, which waits to get them back."""
    WORLD_CHANGED = "WorldChanged"
    """The generator's image has other data or libraries than at the start of the run; go back to
    that image, or start a new run."""
    WORKER_CRASHED = "WorkerCrashed"
    """A worker ended for another reason."""
    BROKER_UNREACHABLE = "BrokerUnreachable"
    """Kafka does not answer, refuses the worker, or acknowledges nothing."""
    REGISTRY_UNREACHABLE = "RegistryUnreachable"
    """The schema registry does not answer, or refuses the worker or the schema; the worker sends
    nothing, and tries again."""
    BROKER_SLOW = "BrokerSlow"
    """Kafka takes fewer events than the workers send."""
    WORKERS_UNSEEN = "WorkersUnseen"
    """A ready worker gives the operator no metrics, for example because of a NetworkPolicy."""
    CHANGE_REFUSED = "ChangeRefused"
    """A worker rejects the changed spec and keeps the former one."""
    RATE_NOT_REACHED = "RateNotReached"
    """The workers send less than 95 % of the rate, and no worker can be added."""
    OTHER_OUTPUT = "OtherOutput"
    """Only of ``Stored``: the stream does not read the topic of ``spec.output``."""
    AGREES = "Agrees"
    """Only of ``Verified``: the tables agree with the ledger."""
    DIFFERS = "Differs"
    """Only of ``Verified``: the tables differ from the ledger; the message has the first minute."""
    VERIFICATION_PENDING = "VerificationPending"
    """Only of ``Verified``: no verification has ended yet."""
    VERIFICATION_FAILED = "VerificationFailed"
    """Only of ``Verified``: the last verification could not compare; the message says why."""
    NO_DATABASE = "NoDatabase"
    """Only of ``Verified``: neither the simulation nor the operator names a database."""
    DATABASE_REFUSED = "DatabaseRefused"
    """Only of ``Verified``: the operator's settings do not allow the database of
    ``spec.verification``, its credentials would go without TLS, or their secret has no label
    ``clickstream.dev/credentials: "true"``."""
    SETTLED = "Settled"
    """Only of ``Progressing``: nothing changes."""
    AS_EXPECTED = "AsExpected"
    """Only of ``Degraded``: nothing is wrong."""
    SCALED = "Scaled"
    """Only of events: the number of workers has changed."""
    WORKERS_RESTARTED = "WorkersRestarted"
    """Only of events: a change restarts workers."""
