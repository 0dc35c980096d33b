"""The page's files: what ships with them, and that they load nothing from elsewhere."""

from __future__ import annotations

import re
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
from clickstream_contract.countries import COUNTRIES

_STATIC = Path(str(files("clickstream_console"))) / "static"
_OWN = sorted(path for kind in ("html", "js", "css") for path in _STATIC.glob(f"*.{kind}"))


def test_vendored_files_are_unchanged() -> None:
    """Each vendored file is listed with its hash, has its licence beside it."""
    vendor = _STATIC / "vendor"
    listed = dict(
        re.findall(r"\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", (vendor / "README.md").read_text())
    )
    there = {
        str(path.relative_to(vendor))
        for path in vendor.glob("*/*")
        if not path.name.startswith("LICENSE")
    }

    assert set(listed) == there
    for name, digest in listed.items():
        path = vendor / name
        assert sha256(path.read_bytes()).hexdigest() == digest, name
        assert (path.parent / "LICENSE").is_file()


def test_map_knows_every_country() -> None:
    """Each country of the contract has the number of a shape."""
    codes = dict(re.findall(r'([A-Z]{2}): "([0-9]{3})"', (_STATIC / "map.js").read_text()))
    shapes = (_STATIC / "vendor/world-atlas/countries-110m.json").read_text()

    assert set(codes) == set(COUNTRIES)
    assert len(set(codes.values())) == len(codes)
    for number in codes.values():
        assert f'"id":"{number}"' in shapes


@pytest.mark.parametrize("path", _OWN, ids=lambda path: path.name)
def test_page_loads_nothing_foreign(path: Path) -> None:
    """No file of the page names another host, but for names of formats."""
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")

    assert "//" not in re.sub(r"^\s*//.*$|\s// .*$", "", text, flags=re.MULTILINE)
