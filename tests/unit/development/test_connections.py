"""The table of connections: how the page's rows become what is allowed."""

from __future__ import annotations

import pytest
from connections import ANY, DOCUMENT, Member, Place, listed, may_connect

TABLE = """
| from | to | ports |
|---|---|---|
| driver, executors | executors | every |
| executors | driver | 7078, 7079 |
| pods elsewhere | driver | 9402 |

| another | table |
"""
EXECUTOR = Member("executors", "e", "c", "shop")


@pytest.mark.parametrize(
    ("member", "kind", "port", "wanted"),
    [
        (EXECUTOR, "driver", 7078, True),
        (EXECUTOR, "driver", 9402, False),
        (EXECUTOR, "executors", 41_000, True),
        (Member("a stranger", "s", "c", "shop"), "driver", 9402, False),
        (Member("a stranger", "s", "c", "others"), "driver", 9402, True),
        (Member("a stranger", "s", "c", "others"), "driver", 7078, False),
    ],
)
def test_rows_allow_pairs(member: Member, kind: str, port: int, wanted: bool) -> None:  # noqa: FBT001  a parameter's value
    """A row allows its kinds and ports; those of pods elsewhere are for other namespaces."""
    place = Place(kind, "10.0.0.1", port)
    assert may_connect(listed(TABLE), member, place, "shop") is wanted


def test_missing_table_is_noticed() -> None:
    """A page without the table allows nothing, so it must not pass for one."""
    with pytest.raises(AssertionError, match="no table"):
        listed("# Install\n")


def test_page_lists_known_kinds() -> None:
    """The page's table is read as a whole: its first and last kinds are there."""
    rows = listed(DOCUMENT.read_text(encoding="utf-8"))

    assert {row.source for row in rows} >= {"operator", "workers", "Grafana", ANY}
    assert any(row.target == "API server" for row in rows)
