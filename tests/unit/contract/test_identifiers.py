"""The part of an id that names the run."""

from __future__ import annotations

import re
from uuid import UUID

from clickstream_contract.identifiers import run_prefix
from hypothesis import given
from hypothesis import strategies as st


def test_prefix_is_exact() -> None:
    """The prefix is 48 bits of the run's digest and the version of the id."""
    assert run_prefix(UUID(int=7)) == "6ccd3836-9481-8"


@given(st.uuids())
def test_prefix_begins_an_id(run_id: UUID) -> None:
    """The prefix of any run is the beginning of a UUID of version 8."""
    prefix = run_prefix(run_id)

    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-8", prefix)
    assert UUID(f"{prefix}000-8000-000000000000").version == 8


@given(st.lists(st.uuids(), unique=True))
def test_runs_have_own_prefixes(run_ids: list[UUID]) -> None:
    """Two runs do not share a prefix."""
    assert len({run_prefix(run_id) for run_id in run_ids}) == len(run_ids)
