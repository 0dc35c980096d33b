"""The database that a verification reads, and what its pod needs to reach it.

Owns the precedence of the resource over the operator's settings. A mapping never decides where a
password goes: the address is in the resource, where the operator checks it, or in the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from clickstream_contract.naming import HOST
from clickstream_contract.parts import Part
from clickstream_contract.topics import LEDGER
from pydantic import Field

from clickstream_operator.core.secret_files import SecretFiles

if TYPE_CHECKING:
    from clickstream_contract.verification import Verification

    from clickstream_operator.settings import Settings

__all__ = ["Database", "chosen_database"]

_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
_NAME_OR_NONE = r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$"
_USER, _AUTHORITY = "database-user", "database-ca"
_DAY_HOURS, _SPARE_HOURS = 24, 1
_LEDGER_DAYS = int(LEDGER.settings["retention.ms"]) // 86_400_000
"""How long Kafka keeps the ledger, as the topic is made."""


class Database(Part):
    """A PostgreSQL database.

    Attributes:
        host, port, name: Its address.
        sslmode: libpq's, for the connection.
        secret: Secret with ``username`` and ``password``.
        ca_secret: Secret with ``ca.crt``; empty without one.
        keeps_days: How many days the events are kept; 0 for ever.
    """

    host: Annotated[str, Field(pattern=f"^{HOST}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] = 5432
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][-A-Za-z0-9_.]{0,62}$")]
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = (
        "require"
    )
    secret: Annotated[str, Field(pattern=_NAME)]
    ca_secret: Annotated[str, Field(pattern=_NAME_OR_NONE)] = ""
    keeps_days: Annotated[int, Field(ge=0, le=36_500)] = 0

    @property
    def server(self) -> str:
        """The address ``host:port``."""
        return f"{self.host}:{self.port}"

    def options(self) -> list[str]:
        """Return the options of ``clickstream judge`` for this database."""
        words = f"host={self.host} port={self.port} dbname={self.name} sslmode={self.sslmode}"
        if self.ca_secret:
            words += f" sslrootcert=/etc/{_AUTHORITY}/ca.crt"
        return [
            f"--connection={words}",
            f"--username-file=/etc/{_USER}/username",
            f"--password-file=/etc/{_USER}/password",
        ]

    def keeps(self) -> str:
        """Return the option for how long ledger and events are kept.

        An hour is left out: Kafka or the stream may drop rows while the verification runs.
        """
        days = min(self.keeps_days or _LEDGER_DAYS, _LEDGER_DAYS)
        return f"--keeps={days * _DAY_HOURS - _SPARE_HOURS}h"

    def secrets(self) -> tuple[SecretFiles, ...]:
        """Return the secrets that the pod reads."""
        rows = (
            SecretFiles(_AUTHORITY, self.ca_secret, ("ca.crt",)),
            SecretFiles(_USER, self.secret, ("username", "password")),
        )
        return tuple(row for row in rows if row.secret)


def chosen_database(asked: Verification, settings: Settings) -> Database | None:
    """Return the database of the simulation, else of the settings; ``None`` without one."""
    named = asked.database
    if named is None:
        return settings.database
    authority = named.ca_secret_ref.name if named.ca_secret_ref else ""
    return Database.model_validate(
        {
            "host": named.host,
            "port": named.port,
            "name": named.name,
            # Without a CA only where the settings allow credentials without TLS.
            "sslmode": "verify-full" if authority else "prefer",
            "secret": named.credentials_secret_ref.name,
            "caSecret": authority,
        }
    )
