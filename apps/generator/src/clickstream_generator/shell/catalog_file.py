"""The catalog file of ``clickstream generate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_generator.core.own_catalog import read_products
from clickstream_generator.shell.text_file import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.core.own_catalog import Product

__all__ = ["read_catalog"]

_MOST_BYTES = 200_000_000


def read_catalog(path: Path) -> tuple[Product, ...]:
    """Return the products of a file.

    Raises:
        SimulationInvalid: The file cannot be read, or a line is invalid.
    """
    return read_products(read_text("--catalog", path, _MOST_BYTES), str(path))
