"""The checks look for every defect, and their SQL takes the values that are bound."""

from __future__ import annotations

import re

import pytest
from clickstream_contract.ledger import FAULT_REASONS
from clickstream_streaming.core.sql.checks import (
    CHECKS,
    LEDGER_TOTALS,
    PASSES,
    REJECTS,
)

VALUES = {"run_ids": "RUNS", "prefixes": "PREFIXES"}


def test_every_defect_is_sought() -> None:
    """Each figure of the verification has a check, and no check another figure."""
    assert {check.defect for check in CHECKS} == {
        "lost", "duplicated", "phantom", "altered", "session_mismatches", "aggregate_mismatches",
        "illegal_transitions",
    }  # fmt: skip


def test_passes_share_one_basis() -> None:
    """Each check is in one pass, with all checks of its basis; without one it is alone."""
    assert sorted(check.name for checks in PASSES for check in checks) == sorted(
        check.name for check in CHECKS
    )
    bases = [{(check.basis, check.is_hashed) for check in checks} for checks in PASSES]
    assert {len(basis) for basis in bases} == {1}
    shared = [basis for ((basis, _),) in bases if basis]
    assert len(shared) == len(set(shared)) == 3
    assert all(len(checks) > 1 for checks in PASSES if checks[0].basis)


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
