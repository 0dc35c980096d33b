"""The catalog file of ``clickstream generate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.errors import SimulationInvalid

from clickstream_generator.core.own_catalog import read_products

if TYPE_CHECKING:
    from pathlib import Path

    from clickstream_generator.core.own_catalog import Product

__all__ = ["read_catalog"]


def read_catalog(path: Path) -> tuple[Product, ...]:
    """Return the products of a file.

    Raises:
        SimulationInvalid: The file cannot be read, or a line is invalid.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulationInvalid("--catalog", str(path), f"it cannot be read: {error}") from None
    return read_products(text, str(path))
