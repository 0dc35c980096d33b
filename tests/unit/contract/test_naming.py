"""How simulations are named."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.naming import (
    FULL_NAME,
    FULL_NAME_LENGTH,
    HOST,
    NAME,
    NAMESPACE,
    PORT,
    SERVERS,
    full_name,
)

_LONGEST = "a" * 63


def test_full_name_has_the_namespace() -> None:
    """A simulation without a namespace is known by its name."""
    assert full_name("shop", "blue") == "blue/shop"
    assert full_name("shop", None) == "shop"


def test_longest_names_fit() -> None:
    """Kubernetes allows 63 characters for a namespace, and the contract for a name."""
    longest = full_name(_LONGEST, _LONGEST)

    assert len(longest) == FULL_NAME_LENGTH == 127
    assert re.search(FULL_NAME, longest)


@pytest.mark.parametrize("name", ["shop", "0/a1", "a-b/c-d", _LONGEST])
def test_full_names_match(name: str) -> None:
    """A full name is one DNS label, or two with a slash between them."""
    assert re.fullmatch(FULL_NAME, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/shop",
        "blue/",
        "a/b/c",
        "Blue/shop",
        "a//b",
        f"a{_LONGEST}/b",
        "-a/b",
        "0",
        "0shop",
        "a/0",
    ],
)
def test_other_texts_do_not_match(name: str) -> None:
    """No other text names a simulation."""
    assert not re.fullmatch(FULL_NAME, name)


def test_labels_have_no_slash() -> None:
    """Neither a name nor a namespace can pass for a full name with both."""
    for pattern in (NAME, NAMESPACE):
        assert re.fullmatch(pattern, _LONGEST)
        assert not re.fullmatch(pattern, "blue/shop")


def test_only_namespaces_begin_with_digits() -> None:
    """A Service has the simulation's name, and a Service's begins with a letter."""
    assert re.fullmatch(NAMESPACE, "0shop")
    assert not re.fullmatch(NAME, "0shop")


def test_ports_are_those_of_tcp() -> None:
    """A port is a whole number from 1 to 65535 without a leading zero."""
    matching = {text for number in range(70_000) if re.fullmatch(PORT, text := str(number))}

    assert matching == {str(number) for number in range(1, 65_536)}
    assert not re.fullmatch(PORT, "09092")


@pytest.mark.parametrize("host", ["a", "A-1", "kafka.data.svc", "10.0.0.1", "a" * 63])
def test_hosts_match(host: str) -> None:
    """A host is labels of up to 63 characters with dots between them."""
    assert re.fullmatch(HOST, host)
    assert re.fullmatch(SERVERS, f"{host}:1,{host}:65535")


@pytest.mark.parametrize("host", ["", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "*", "a" * 64])
def test_other_hosts_do_not_match(host: str) -> None:
    """No other text is a host's name."""
    assert not re.fullmatch(HOST, host)
    assert not re.fullmatch(SERVERS, f"{host}:1")
