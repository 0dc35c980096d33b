"""Links of the documentation's site."""

from __future__ import annotations

import pytest
from site_links import with_links_outward

REPOSITORY = "https://example.org/us/ours"


@pytest.mark.parametrize(
    ("source", "link", "wanted"),
    [
        ("README.md", "../SECURITY.md#a", f"{REPOSITORY}/blob/main/SECURITY.md#a"),
        ("README.md", "../k8s/simulations", f"{REPOSITORY}/blob/main/k8s/simulations"),
        ("extending.md", "adr", f"{REPOSITORY}/blob/main/docs/adr"),
        ("adr/0001-a.md", "../../k8s/a.yaml", f"{REPOSITORY}/blob/main/k8s/a.yaml"),
        ("adr/0001-a.md", "../streaming.md#a", "../streaming.md#a"),
        ("a.md", "b.md", "b.md"),
        ("a.md", "#heading", "#heading"),
        ("a.md", "https://example.org/../a", "https://example.org/../a"),
    ],
)
def test_outer_links_lead_to_repository(source: str, link: str, wanted: str) -> None:
    """A link that leaves ``docs/``, or leads to a folder, becomes a URL; others stay."""
    assert with_links_outward(f"see [it]({link}).", source, REPOSITORY) == f"see [it]({wanted})."
