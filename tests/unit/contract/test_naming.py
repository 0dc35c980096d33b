"""How simulations are named."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.naming import DNS_LABEL, FULL_NAME, FULL_NAME_LENGTH, full_name

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


@pytest.mark.parametrize("name", ["shop", "0/1", "a-b/c-d", _LONGEST])
def test_full_names_match(name: str) -> None:
    """A full name is one DNS label, or two with a slash between them."""
    assert re.fullmatch(FULL_NAME, name)


@pytest.mark.parametrize(
    "name", ["", "/", "/shop", "blue/", "a/b/c", "Blue/shop", "a//b", f"a{_LONGEST}/b", "-a/b"]
)
def test_other_texts_do_not_match(name: str) -> None:
    """No other text names a simulation."""
    assert not re.fullmatch(FULL_NAME, name)


def test_labels_have_no_slash() -> None:
    """Neither a name nor a namespace can pass for a full name with both."""
    assert re.fullmatch(DNS_LABEL, _LONGEST)
    assert not re.fullmatch(DNS_LABEL, "blue/shop")
