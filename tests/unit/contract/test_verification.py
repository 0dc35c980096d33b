"""What a simulation says about its verification."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_contract.verification import Verification
from pydantic import ValidationError

_DATABASE = {"host": "db.data", "name": "shop", "credentialsSecretRef": {"name": "reader"}}


def _read(**fields: Any) -> Verification:  # noqa: ANN401  any value of YAML
    return Verification.model_validate({"every": "10m", **fields})


def test_period_is_enough() -> None:
    """Without a mapping the project's own events are verified, in the operator's database."""
    found = _read()

    assert (found.every_seconds, found.mapping, found.database) == (600, None, None)
    assert found.model_dump(mode="json", by_alias=True, exclude_none=True) == {"every": "10m"}


def test_database_has_the_usual_port() -> None:
    """Host, name and a secret are enough for a database."""
    found = _read(mapping={"configMapRef": {"name": "mine"}}, database=_DATABASE)

    assert found.database is not None
    assert (found.database.port, found.database.ca_secret_ref) == (5432, None)
    assert found.mapping is not None
    assert found.mapping.inline is None


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"every": "59s"}, "at least one minute"),
        ({"every": "often"}, "a duration such as"),
        ({"mapping": {}, "database": _DATABASE}, "exactly one of inline and configMapRef"),
        (
            {
                "mapping": {"inline": "a: 1", "configMapRef": {"name": "b"}},
                "database": _DATABASE,
            },
            "exactly one of inline and configMapRef",
        ),
        ({"mapping": {"inline": "a: 1"}}, "a database"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], allowed: str) -> None:
    """A period that is too short, two mappings, and a mapping without a database are refused."""
    with pytest.raises(ValidationError) as caught:
        _read(**fields)

    assert allowed in caught.value.errors()[0]["ctx"]["allowed"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("host", "db.data sslmode=disable"),
        ("host", "/run/socket"),
        ("host", "a,b"),
        ("name", "shop user=postgres"),
        ("name", ""),
        ("name", "-shop"),
        ("port", 0),
        ("port", 65_536),
    ],
)
def test_address_is_one_word(field: str, value: object) -> None:
    """Nothing in an address becomes another word of the connection."""
    with pytest.raises(ValidationError):
        _read(database={**_DATABASE, field: value})
