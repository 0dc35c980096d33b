"""The places of the version."""

from __future__ import annotations

import re

from versions import PLACES, ROOT, members


def test_every_package_is_a_place() -> None:
    """No package is left out."""
    files = {str(file.relative_to(ROOT)) for file in members().values()}

    assert len(files) >= 9
    assert files <= set(PLACES)


def test_packages_need_each_other_exactly() -> None:
    """A package of the project that another one needs is named with its version."""
    for name, file in members().items():
        needed = re.findall(
            r'^  "(clickstream[a-z-]*)(.*)",$', file.read_text("utf-8"), re.MULTILINE
        )
        assert [one for one, bound in needed if not bound.startswith("==")] == [], name
