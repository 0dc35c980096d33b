"""The verification of a simulation on a cluster: how often, of which tables, in which database.

Owns the fields of ``spec.verification``. The mapping's own fields are the judge's.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from clickstream_contract.naming import HOST
from clickstream_contract.parts import Duration, NameReference, Part, refuse

__all__ = ["MAPPING_KEY", "Database", "MappingSource", "Verification"]

MAPPING_KEY = "mapping.yaml"
"""The key of a ConfigMap with a mapping."""
_SHORTEST_SECONDS = 60
_DATABASE_NAME = r"^[A-Za-z0-9_][-A-Za-z0-9_.]{0,62}$"


class MappingSource(Part):
    """Where the mapping is."""

    inline: Annotated[
        str | None,
        Field(min_length=1, max_length=16_384, description="The mapping itself, as YAML."),
    ] = None
    config_map_ref: Annotated[
        NameReference | None,
        Field(description=f"ConfigMap with the mapping in the key {MAPPING_KEY}."),
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if (self.inline is None) == (self.config_map_ref is None):
            raise refuse("", None, "exactly one of inline and configMapRef")
        return self


class Database(Part):
    """The PostgreSQL database with the tables."""

    host: Annotated[
        str,
        Field(
            pattern=f"^{HOST}$",
            max_length=253,
            description="Its host, which the operator must allow with the port.",
        ),
    ]
    port: Annotated[int, Field(ge=1, le=65_535, description="Its port.")] = 5432
    name: Annotated[
        str, Field(pattern=_DATABASE_NAME, max_length=63, description="The database's name.")
    ]
    credentials_secret_ref: Annotated[
        NameReference,
        Field(
            description="Secret with username and password. "
            'It needs the label clickstream.dev/credentials: "true".'
        ),
    ]
    ca_secret_ref: Annotated[
        NameReference | None, Field(description="Secret with ca.crt for TLS.")
    ] = None


class Verification(Part):
    """How the operator verifies a pipeline's tables."""

    every_seconds: Annotated[
        Duration,
        Field(alias="every", description="Time from one verification to the next, from 1m on."),
    ]
    mapping: Annotated[
        MappingSource | None,
        Field(description="The tables and columns; the project's own events if absent."),
    ] = None
    database: Annotated[
        Database | None,
        Field(description="The database; that of the operator's settings if absent."),
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.every_seconds < _SHORTEST_SECONDS:
            raise refuse("every", f"{self.every_seconds}s", "a duration of at least one minute")
        if self.mapping is not None and self.database is None:
            raise refuse("database", None, "a database, because there is a mapping")
        return self
