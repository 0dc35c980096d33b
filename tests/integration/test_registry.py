"""The schema registry: a real one registers the schemas, finds them again, and refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from clickstream_contract.schemas import SCHEMA_FILES
from clickstream_generator.errors import RegistryRefused
from clickstream_generator.shell.registry import Registry
from registries import registry_url

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a registry."""
    yield from registry_url(tmp_path_factory.mktemp("registry"))


@pytest.mark.slow
@pytest.mark.parametrize("encoding", list(SCHEMA_FILES))
def test_schema_is_found_again(url: str, encoding: str) -> None:
    """A registry takes each schema once, and finds it again under the same number."""
    registry, subject = Registry(url), f"{encoding}-value"

    with pytest.raises(RegistryRefused, match=f"has no subject {subject}"):
        registry.schema_id(subject, encoding, is_registering=False)
    number = registry.schema_id(subject, encoding, is_registering=True)
    assert number == registry.schema_id(subject, encoding, is_registering=True)
    assert number == registry.schema_id(subject, encoding, is_registering=False)
    found = registry.schema(number)
    assert found is not None
    assert "event_id" in found.text
    assert found.kind == {"avro": "AVRO", "protobuf": "PROTOBUF", "json-schema": "JSON"}[encoding]
    assert registry.schema(number + 1_000) is None


@pytest.mark.slow
def test_other_schema_is_refused(url: str) -> None:
    """A subject with another schema refuses ours, with the registry's words."""
    registry = Registry(url)
    schema = {"schema": '"string"'}
    httpx.post(f"{url}/subjects/r-value/versions", json=schema).raise_for_status()
    level = {"compatibility": "BACKWARD"}
    httpx.put(f"{url}/config/r-value", json=level).raise_for_status()

    with pytest.raises(RegistryRefused, match="has another schema for subject r-value"):
        registry.schema_id("r-value", "avro", is_registering=False)
    with pytest.raises(RegistryRefused, match=r"r-value as incompatible.*RECORD not compatible"):
        registry.schema_id("r-value", "avro", is_registering=True)
    with pytest.raises(RegistryRefused, match="does not answer as a schema registry"):
        Registry(f"{url}/none").schema_id("r-value", "avro", is_registering=True)
