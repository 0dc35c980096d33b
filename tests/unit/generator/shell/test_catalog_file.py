"""The catalog file on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickstream_contract.errors import SimulationInvalid
from clickstream_generator.shell.catalog_file import read_catalog

if TYPE_CHECKING:
    from pathlib import Path


def test_file_has_products(tmp_path: Path) -> None:
    """A file's products are read; a missing file is refused."""
    file = tmp_path / "own.csv"
    file.write_text("id,name,category,brand,price\nP,Hat,Hats,Sand,5\n", encoding="utf-8")
    assert [product.id for product in read_catalog(file)] == ["P"]
    with pytest.raises(SimulationInvalid, match=r"--catalog: .* it cannot be read"):
        read_catalog(tmp_path / "none.csv")
