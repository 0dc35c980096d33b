"""Whatever a simulation says: pods stay restricted, names legal, image and command ours."""

from __future__ import annotations

import json
import re
from typing import Any

from clickstream_contract.countries import COUNTRIES
from clickstream_contract.document import parse_simulation, simulation_from_resource
from clickstream_contract.events import DEVICES
from clickstream_contract.personas import PERSONAS
from clickstream_operator.core.desired import Owner, Run, children
from clickstream_operator.core.observed import Observed
from clusters import SETTINGS, resource
from hypothesis import given, settings
from hypothesis import strategies as st

_LABEL = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
_NAME = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,40}[a-z0-9])?", fullmatch=True)
_SERVER = st.from_regex(r"[A-Za-z0-9.\-]{1,30}:[0-9]{1,5}", fullmatch=True)
_REF = st.fixed_dictionaries({"name": _NAME})
_WEIGHT = st.integers(1, 1_000_000)
_KAFKA = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"clusterRef": _REF}, optional={"credentialsSecretRef": _REF, "caSecretRef": _REF}
    ),
    st.fixed_dictionaries(
        {"bootstrapServers": st.lists(_SERVER, min_size=1, max_size=3).map(",".join)},
        optional={"credentialsSecretRef": _REF, "caSecretRef": _REF},
    ),
)
_DURATION = st.tuples(st.integers(1, 9_999), st.sampled_from("smhd")).map(
    lambda row: f"{row[0]}{row[1]}"
)
_LEVEL = st.integers(0, 100_000)
_RATE = st.builds(
    lambda amount, shape, bursts, overload: {
        **amount, **shape, "bursts": bursts, "onOverload": overload
    },
    st.one_of(
        st.fixed_dictionaries({"eventsPerSecond": st.integers(1, 1_000_000)}),
        st.fixed_dictionaries({"eventsPerMinute": st.integers(1, 60_000_000)}),
    ),
    st.one_of(
        st.fixed_dictionaries({"curve": st.sampled_from(["Constant", "Diurnal", "Weekly"])}),
        st.fixed_dictionaries(
            {
                "curve": st.just("Steps"),
                "steps": st.lists(
                    st.fixed_dictionaries({"for": _DURATION, "multiplierPermille": _LEVEL}),
                    min_size=1, max_size=3,
                ),
            }
        ),
    ),
    st.lists(
        st.fixed_dictionaries({"at": _DURATION, "for": _DURATION, "multiplierPermille": _LEVEL}),
        max_size=1,
    ),
    st.sampled_from(["CatchUp", "Shed"]),
)  # fmt: skip
_PERSONA = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[A-Z][A-Za-z0-9]{0,62}", fullmatch=True),
        "basedOn": st.sampled_from(list(PERSONAS)),
    },
    optional={
        "thinkMedianMilliseconds": st.integers(200, 600_000),
        "returnPermille": st.integers(0, 1_000),
        "hourly": st.lists(st.integers(1, 1_000), min_size=24, max_size=24),
    },
)
_SHARE = st.integers(0, 200)
_SPEC = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**53 - 1),
        "rate": _RATE,
        "userMix": st.lists(
            st.fixed_dictionaries({"persona": st.sampled_from(list(PERSONAS)), "weight": _WEIGHT}),
            min_size=1,
            unique_by=lambda row: row["persona"],
        ),
        "kafka": _KAFKA,
        "shards": st.integers(1, 1_024),
        "workers": st.one_of(
            st.just({}),
            st.fixed_dictionaries({"count": st.integers(1, 1_024)}),
            st.fixed_dictionaries({"max": st.integers(1, 1_024)}),
        ),
    },
    optional={
        "users": st.integers(1_024, 10_000_000),
        "suspend": st.booleans(),
        "personas": st.lists(_PERSONA, max_size=3, unique_by=lambda row: row["name"]),
        "catalog": st.fixed_dictionaries(
            {"products": st.integers(500, 200_000), "categories": st.integers(1, 500)}
        ),
        "countries": st.lists(
            st.fixed_dictionaries({"code": st.sampled_from(list(COUNTRIES)), "weight": _WEIGHT}),
            min_size=1,
            unique_by=lambda row: row["code"],
        ),
        "devices": st.fixed_dictionaries(dict.fromkeys(DEVICES, _WEIGHT)),
        "backfill": st.fixed_dictionaries({"days": st.integers(1, 400)}),
        "stopAfter": st.one_of(
            st.fixed_dictionaries({"duration": _DURATION}),
            st.fixed_dictionaries({"events": st.integers(1, 10**12)}),
        ),
        "faults": st.fixed_dictionaries(
            {
                "duplicatePermille": _SHARE,
                "latePermille": _SHARE,
                "corruptPermille": _SHARE,
                "futurePermille": _SHARE,
                "lossPermille": _SHARE,
                "maxLatenessSeconds": st.integers(1, 86_400),
            }
        ),
    },
)
_RESTRICTED_POD = {
    "runAsNonRoot": True, "runAsUser": 65_532, "runAsGroup": 65_532, "fsGroup": 65_532,
    "seccompProfile": {"type": "RuntimeDefault"},
}  # fmt: skip
_RESTRICTED_CONTAINER = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VOLUMES = {"configMap", "secret", "emptyDir"}


@settings(max_examples=1_000, deadline=None)
@given(_LABEL, _SPEC, st.integers(1, 24))
def test_no_specification_reaches_what_a_pod_may_do(
    name: str, spec: dict[str, Any], workers: int
) -> None:
    """The same pod security, image and command for all; names that Kubernetes takes."""
    simulation = simulation_from_resource(resource(name, **spec))
    workers = min(workers, simulation.spec.shards)
    owner = Owner(name, "load", "6f1b2c3d-0000-4000-8000-000000000001")
    rows = children(simulation, owner, Run(workers, 1.8e9), SETTINGS, Observed())

    places = [(row["kind"], row["metadata"]["name"]) for row in rows]
    assert len(set(places)) == len(places)
    for row in rows:
        assert _DNS_LABEL.fullmatch(row["metadata"]["name"])
        assert all(len(value) <= 63 for value in row["metadata"]["labels"].values())
        (reference,) = row["metadata"]["ownerReferences"]
        assert (reference["uid"], reference["blockOwnerDeletion"]) == (owner.uid, False)
    pods = [row["spec"]["template"] for row in rows if row["kind"] == "Deployment"]
    assert len(pods) == workers
    for pod in pods:
        _is_restricted(pod["spec"])
    for row in rows:
        if row["kind"] == "Deployment":
            selector = row["spec"]["selector"]["matchLabels"]
            assert selector.items() <= row["spec"]["template"]["metadata"]["labels"].items()
    (file,) = (row["data"]["simulation.yaml"] for row in rows if row["kind"] == "ConfigMap")
    read = parse_simulation(file)
    assert read.spec.rate == simulation.spec.rate
    assert read.spec.user_mix == simulation.spec.user_mix


def _is_restricted(spec: dict[str, Any]) -> None:
    (container,) = spec["containers"]
    assert spec["securityContext"] == _RESTRICTED_POD
    assert container["securityContext"] == _RESTRICTED_CONTAINER
    assert container["image"] == SETTINGS.image
    assert not {"command", "args", "envFrom", "lifecycle"} & container.keys()
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "nodeName"} & spec.keys()
    assert spec["automountServiceAccountToken"] is False
    assert all(_VOLUMES & row.keys() for row in spec["volumes"])
    assert {"requests", "limits"} == container["resources"].keys()
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
    assert all(set(row) == {"name", "value"} for row in container["env"])
    assert "valueFrom" not in json.dumps(spec)
