"""The truth in run records: rows that a reader can order, and a bound for each kind."""

from __future__ import annotations

import pytest
from clickstream_contract.experiments import MOST_ARMS, MOST_EXPERIMENTS
from clickstream_contract.run_truths import EXPERIMENTS, RUN_TRUTHS


@pytest.mark.parametrize("kind", RUN_TRUTHS)
def test_rows_have_a_moment(kind: str) -> None:
    """A row of each kind has a begin, by which the merge of records orders it."""
    assert RUN_TRUTHS[kind].members["from_seconds"] is float


def test_record_keeps_a_range_of_arms() -> None:
    """A record has room for the arms of every experiment of many ranges."""
    assert RUN_TRUTHS[EXPERIMENTS].most >= 10 * MOST_ARMS * MOST_EXPERIMENTS
