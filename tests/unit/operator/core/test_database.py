"""The database of a verification: the simulation's, else the operator's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from clickstream_contract.verification import Verification
from clickstream_operator.core.database import Database, chosen_database
from clickstream_operator.core.secret_files import SecretFiles
from clusters import SETTINGS
from pydantic import ValidationError

_OWN = Database.model_validate(
    {
        "host": "own-rw", "port": 5433, "name": "clickstream", "sslmode": "verify-full",
        "secret": "reader", "caSecret": "own-ca", "keepsDays": 2,
    }
)  # fmt: skip
_NAMED = {"host": "db.data", "name": "shop", "credentialsSecretRef": {"name": "user"}}
_SETTINGS = replace(SETTINGS, database=_OWN)


def _asked(**database: object) -> Verification:
    named = {"database": {**_NAMED, **database}} if database else {}
    return Verification.model_validate({"every": "10m", **named})


def test_operators_database_is_the_default() -> None:
    """Without a database of the simulation, the operator's is verified, if it has one."""
    assert chosen_database(_asked(), _SETTINGS) is _OWN
    assert chosen_database(_asked(), SETTINGS) is None


def test_named_database_counts_more() -> None:
    """Nothing of the operator's database goes to the simulation's, and a CA means TLS."""
    found = chosen_database(_asked(caSecretRef={"name": "ca"}), _SETTINGS)

    assert found is not None
    words = "host=db.data port=5432 dbname=shop sslmode=verify-full"
    assert found.options() == [
        f"--connection={words} sslrootcert=/etc/database-ca/ca.crt",
        "--username-file=/etc/database-user/username",
        "--password-file=/etc/database-user/password",
    ]
    assert found.secrets() == (
        SecretFiles("database-ca", "ca", ("ca.crt",)),
        SecretFiles("database-user", "user", ("username", "password")),
    )
    plain = chosen_database(_asked(port=1), _SETTINGS)
    assert plain is not None
    assert (plain.sslmode, plain.server) == ("prefer", "db.data:1")
    assert len(plain.secrets()) == 1


def test_dropped_days_are_not_judged() -> None:
    """An hour before the stream or Kafka drops rows, the verification leaves them out."""
    assert _OWN.keeps() == "--keeps=47h"
    for days in (0, 31):
        assert _OWN.model_copy(update={"keeps_days": days}).keeps() == f"--keeps={30 * 24 - 1}h"


@pytest.mark.parametrize(
    "change",
    [{"host": "a b"}, {"name": "a b"}, {"sslmode": "no"}, {"port": 0}, {"secret": ""}, {"x": 1}],
)
def test_settings_are_checked(change: dict[str, object]) -> None:
    """No value of the settings becomes another word of the connection."""
    usual = {"host": "own", "name": "clickstream", "secret": "reader"}
    with pytest.raises(ValidationError):
        Database.model_validate(usual | change)
