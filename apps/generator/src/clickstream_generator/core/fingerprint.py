"""The fingerprint of a run: a run can be resumed only with the same world and random streams.

Owns the hashed content and the names of differences. Library versions are kept only to name the
cause: another version that makes the same world and the same streams is no difference.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import faker
import numpy as np
from clickstream_contract.events import SCHEMA_VERSION

from clickstream_generator.errors import WorldChanged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clickstream_generator.core.catalog import Catalog

__all__ = ["Fingerprint", "check_fingerprint", "take_fingerprint"]

_LIBRARIES = {"faker": faker.VERSION, "numpy": np.__version__}


@dataclass(frozen=True)
class Fingerprint:
    """Everything besides the specification that determines a run's events.

    Attributes:
        world: Hash of names, cities, products, user agents, campaigns and personas.
        streams: Hash of numbers that the random generator draws for a fixed seed.
        libraries: Versions by name.
        schema_version: Version of the event schema; another version encodes events differently.
    """

    world: str
    streams: str
    libraries: dict[str, str]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as JSON values."""
        return vars(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Fingerprint:
        """Read the values of :meth:`to_json`."""
        # Generators of version 1 did not write the field.
        version = row.get("schema_version", 1)
        return cls(row["world"], row["streams"], row["libraries"], version)


def take_fingerprint(catalog: Catalog, pools: Iterable[object]) -> Fingerprint:
    """Return the fingerprint of a world.

    Args:
        catalog: The world's catalog.
        pools: All other pools of users and sessions; the hash covers their ``repr``.
    """
    # Only the order of popularity counts: its last digits may depend on the processor.
    products = (
        catalog.category_names,
        catalog.product_names,
        catalog.product_brands,
        catalog.product_category.tolist(),
        catalog.price_minor.tolist(),
        np.argsort(-catalog.popularity, kind="stable").tolist(),
        catalog.search_terms,
    )
    return Fingerprint(_hash(repr((products, tuple(pools)))), _streams(), dict(_LIBRARIES))


def check_fingerprint(written: Fingerprint, present: Fingerprint) -> None:
    """Raise an error if this process would make other events than the run has.

    Raises:
        WorldChanged: The world, the random streams or the event's version differ.
    """
    if written.schema_version != present.schema_version:
        what = "events"
    elif written.world != present.world:
        what = "names, cities, products, user agents or personas"
    elif written.streams != present.streams:
        what = "random streams"
    else:
        return
    raise WorldChanged(what, _versions(written), _versions(present))


def _versions(fingerprint: Fingerprint) -> dict[str, str]:
    return fingerprint.libraries | {"event schema": str(fingerprint.schema_version)}


@cache
def _streams() -> str:
    """Return a hash over each kind of random draw that the generator uses."""
    rng = np.random.default_rng([0, 42])
    draws = (
        rng.random(16),
        rng.integers(0, 1_000, 16),
        rng.permutation(16),
        rng.normal(0.0, 1.0, 16),
        rng.standard_normal(16),
        rng.poisson(3.5, 16),
        rng.poisson(350.0, 16),
        rng.multinomial(1_000, [0.2, 0.3, 0.5]),
    )
    return _hash(repr([row.tolist() for row in draws]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
