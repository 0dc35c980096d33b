"""The checks look for every defect, and their SQL takes the values that are bound."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from clickstream_contract.ledger import FAULT_REASONS
from clickstream_streaming.core.sql.checks import (
    CHECKS,
    LEDGER_TOTALS,
    REJECTS,
    run_prefix,
)
from hypothesis import given
from hypothesis import strategies as st

VALUES = {"run_ids": "RUNS", "prefixes": "PREFIXES"}


def test_every_defect_is_sought() -> None:
    """Each figure of the verification has a check, and no check another figure."""
    assert {check.defect for check in CHECKS} == {
        "lost", "duplicated", "phantom", "altered", "session_mismatches", "aggregate_mismatches",
        "illegal_transitions",
    }  # fmt: skip


@pytest.mark.parametrize("query", [*(check.query for check in CHECKS), REJECTS])
def test_query_takes_bound_values(query: str) -> None:
    """Each percent sign is doubled or part of a value's name."""
    found = query % VALUES

    assert "%(" not in found
    assert set(re.findall(r"%\((\w+)\)s", query)) <= VALUES.keys()


def test_totals_need_no_values() -> None:
    """The ledger's sums are over all runs."""
    assert "%" not in LEDGER_TOTALS


def test_every_fault_has_reason() -> None:
    """The rejects that faults call for are planted by reason, each fault once."""
    (listed,) = re.findall(r"VALUES (.*)\) AS fault", REJECTS)
    planted = {
        reason: set(faults.split(" + "))
        for reason, faults in re.findall(r"\('(\w+)', ([^)]+)\)", listed)
    }

    expected: dict[str, set[str]] = {}
    for name, reason in FAULT_REASONS.items():
        expected.setdefault(reason.value, set()).add(f"{name}_faults")
    assert planted == expected


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
