"""Reading the operator's settings from the environment."""

from __future__ import annotations

import pytest
from clickstream_contract.environment import SettingsInvalid
from clickstream_operator.core.database import Database
from clickstream_operator.core.registry import Registry
from clickstream_operator.settings import PREFIX, Settings, settings_from

_IMAGE = {"IMAGE": "registry.example/generator:1.0"}
_GIVEN = {**_IMAGE, "NAMESPACES": "load"}


def _read(**variables: str) -> Settings:
    given = {**_GIVEN, **variables}
    return settings_from({PREFIX + name: value for name, value in given.items()})


def test_defaults_are_documented() -> None:
    """Image and namespaces must be given; the rest has these defaults."""
    assert _read() == Settings(
        image="registry.example/generator:1.0",
        image_pull_policy="IfNotPresent",
        image_pull_secret="",
        namespaces=("load",),
        bootstrap_servers="",
        credentials_secret="",
        ca_secret="",
        sasl_mechanism="SCRAM-SHA-512",
        allowed_servers=(),
        allowed_topics=(),
        registries=(),
        sasl_without_tls=False,
        database=None,
        verification_cpu_request="100m",
        verification_cpu_limit="1",
        verification_memory_request="256Mi",
        verification_memory_limit="1Gi",
        verification_seconds=3_600,
        worker_cpu_request="250m",
        worker_cpu_limit="2",
        worker_memory_request="512Mi",
        worker_memory_limit="1Gi",
        worker_events_per_second=50_000,
        max_workers=8,
        queue_records=200_000,
        drain_seconds=25,
        resync_seconds=5,
        revision_delay_seconds=4,
        below_seconds=60,
        calm_seconds=600,
        metrics_port=9_403,
        metrics_host="127.0.0.1",
    )
    assert PREFIX == "CLICKSTREAM_OPERATOR_"


def test_empty_variables_are_absent() -> None:
    """An empty variable leaves the default, and variables of others are ignored."""
    assert _read(MAX_WORKERS="").max_workers == 8
    assert settings_from({**{PREFIX + key: row for key, row in _GIVEN.items()}, "PATH": "x"})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("IMAGE", "x@sha256:" + "a" * 64, "image", "x@sha256:" + "a" * 64),
        ("IMAGE_PULL_POLICY", "Always", "image_pull_policy", "Always"),
        ("IMAGE_PULL_SECRET", "pull", "image_pull_secret", "pull"),
        ("NAMESPACES", "a, b", "namespaces", ("a", "b")),
        ("NAMESPACES", "*", "namespaces", ()),
        ("ALLOWED_TOPICS", "a, B_1.x-*", "allowed_topics", ("a", "B_1.x-*")),
        (
            "DATABASE",
            '{"host":"db","name":"shop","secret":"reader"}',
            "database",
            Database.model_validate({"host": "db", "name": "shop", "secret": "reader"}),
        ),
        ("ALLOWED_SERVERS", "a:1, *.b.c:2,*:3", "allowed_servers", ("a:1", "*.b.c:2", "*:3")),
        (
            "REGISTRIES",
            '[{"name":"a","url":"http://r:1"},{"name":"b","url":"https://r","register":false}]',
            "registries",
            (
                Registry(name="a", url="http://r:1"),
                Registry.model_validate({"name": "b", "url": "https://r", "register": False}),
            ),
        ),
        ("SASL_WITHOUT_TLS", "true", "sasl_without_tls", True),
        ("SASL_WITHOUT_TLS", "false", "sasl_without_tls", False),
        ("BOOTSTRAP_SERVERS", "a:1,b.c:2", "bootstrap_servers", "a:1,b.c:2"),
        ("CREDENTIALS_SECRET", "user", "credentials_secret", "user"),
        ("CA_SECRET", "ca.crt", "ca_secret", "ca.crt"),
        ("SASL_MECHANISM", "PLAIN", "sasl_mechanism", "PLAIN"),
        ("WORKER_CPU_REQUEST", "2", "worker_cpu_request", "2"),
        ("WORKER_CPU_LIMIT", "500m", "worker_cpu_limit", "500m"),
        ("WORKER_MEMORY_REQUEST", "1Gi", "worker_memory_request", "1Gi"),
        ("WORKER_MEMORY_LIMIT", "900Mi", "worker_memory_limit", "900Mi"),
        ("METRICS_HOST", "::1", "metrics_host", "::1"),
    ],
)
def test_values_are_read(name: str, value: str, field: str, expected: object) -> None:
    """Each variable fills one field."""
    assert getattr(_read(**{name: value}), field) == expected


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("WORKER_EVENTS_PER_SECOND", 1, 1_000_000),
        ("MAX_WORKERS", 1, 1_024),
        ("QUEUE_RECORDS", 1_000, 10_000_000),
        ("DRAIN_SECONDS", 1, 3_600),
        ("RESYNC_SECONDS", 1, 300),
        ("REVISION_DELAY_SECONDS", 0, 300),
        ("BELOW_SECONDS", 1, 3_600),
        ("CALM_SECONDS", 1, 86_400),
        ("METRICS_PORT", 1, 65_535),
    ],
)
def test_numbers_are_bounded(name: str, low: int, high: int) -> None:
    """A number is taken from its least to its greatest value, and refused beyond both."""
    for value in (low, high):
        assert getattr(_read(**{name: str(value)}), name.lower()) == value
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsInvalid, match=f"{PREFIX}{name} .* from {low} to {high}$"):
            _read(**{name: str(value)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("IMAGE", "generator"),
        ("IMAGE", "x:1 --privileged"),
        ("IMAGE_PULL_POLICY", "always"),
        ("IMAGE_PULL_SECRET", "A"),
        ("NAMESPACES", "A"),
        ("NAMESPACES", "a,,b"),
        ("NAMESPACES", "*,a"),
        ("ALLOWED_TOPICS", "*"),
        ("ALLOWED_TOPICS", "_*"),
        ("ALLOWED_TOPICS", "__consumer_offsets"),
        ("ALLOWED_TOPICS", "a b"),
        ("ALLOWED_TOPICS", "a**"),
        ("ALLOWED_SERVERS", "*"),
        ("ALLOWED_SERVERS", "a:0"),
        ("ALLOWED_SERVERS", "a*:1"),
        ("ALLOWED_SERVERS", "*a:1"),
        ("DATABASE", "db:5432"),
        ("DATABASE", "[]"),
        ("DATABASE", '{"host":"db","name":"shop"}'),
        ("DATABASE", '{"host":"db port=1","name":"shop","secret":"reader"}'),
        ("VERIFICATION_SECONDS", "59"),
        ("REGISTRIES", "main"),
        ("REGISTRIES", "{}"),
        ("REGISTRIES", '[{"name":"a"}]'),
        ("REGISTRIES", '[{"name":"a","url":"http://r"},{"name":"a","url":"http://s"}]'),
        ("REGISTRIES", '[{"name":"a","url":"http://r","credentialsSecret":"s"}]'),
        ("SASL_WITHOUT_TLS", "yes"),
        ("BOOTSTRAP_SERVERS", "kafka:99999"),
        ("BOOTSTRAP_SERVERS", "kafka"),
        ("SASL_MECHANISM", "GSSAPI"),
        ("WORKER_CPU_LIMIT", "1.5"),
        ("WORKER_MEMORY_LIMIT", "1e9"),
        ("METRICS_HOST", "localhost; rm"),
        ("MAX_WORKER", "1"),
    ],
)
def test_wrong_values_are_named(name: str, value: str) -> None:
    """A wrong value, and a name that is not known, is an error that names the variable."""
    with pytest.raises(SettingsInvalid, match=f"^{PREFIX}{name} has the value"):
        _read(**{name: value})


@pytest.mark.parametrize("name", _GIVEN)
def test_image_and_namespaces_must_be_given(name: str) -> None:
    """There is no default image, and a missing variable does not mean the whole cluster."""
    with pytest.raises(SettingsInvalid, match=f"^{PREFIX}{name} is not set"):
        _read(**{name: ""})
