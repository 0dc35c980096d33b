"""The checks of batches, runs, shards and rules: whole, distinct, and in the contract's terms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.ledger import FAULT_NAMES, FAULT_REASONS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_streaming.core.sql.bookkeeping import (
    BOOKKEEPING,
    PLANTED_FAULTS,
    _given,
    _literal,
)
from clickstream_streaming.shell.verification import DEFECTS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.check import Check

BY_NAME = {check.name: check for check in BOOKKEEPING}
SUMS_OF_THE_LEDGER = BY_NAME["sums of the ledger"].query


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Côte d'Ivoire", "'Côte d''Ivoire'"),
        ("100 % it's", "'100 %% it''s'"),
        ("", "''"),
        (5, "5"),
        (-60, "-60"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_literal_is_quoted(value: object, text: str) -> None:
    """Text is quoted for SQL and for a query with bound values; numbers and flags are not."""
    assert _literal(value) == text


def test_given_rows_are_compared() -> None:
    """A table is compared with the contract's rows by its first column, unless it is empty."""
    query = " ".join(_given("mart.dim_x", "name, size", [("a", 1), ("b", 2)]).split())

    assert query.startswith(
        "WITH found AS (SELECT name, size FROM mart.dim_x), wanted AS ("
        " SELECT * FROM (VALUES ('a', 1), ('b', 2)) AS given (name, size)"
        " WHERE EXISTS (SELECT FROM mart.dim_x) ) SELECT concat_ws(' ', 'mart.dim_x', name)"
    )
    assert query.endswith(
        "WHERE (found.name, found.size) IS DISTINCT FROM (wanted.name, wanted.size)"
    )


def test_check_names_are_distinct() -> None:
    """Each check has a unique name, which docs/proof.md uses."""
    assert len(BY_NAME) == len(BOOKKEEPING)


@pytest.mark.parametrize("check", BOOKKEEPING, ids=lambda check: check.name)
def test_check_counts_a_defect(check: Check) -> None:
    """Each check adds to one figure of the report and leaves only bound values open."""
    assert check.defect in DEFECTS
    assert set(re.findall(r"%\((\w+)\)s", check.query)) <= {"run_ids", "prefixes"}
    assert not re.search(r"(?<!%)%(?![%(])", check.query)


def test_every_country_is_compared() -> None:
    """The dimension of countries has the contract's rows, all of them."""
    query = BY_NAME["countries of the contract"].query

    assert all(_literal(country.code) in query for country in COUNTRIES.values())


def test_every_rule_is_compared() -> None:
    """The table of rules has the contract's rules, all of them."""
    (query,) = (check.query for check in BOOKKEEPING if "ops.quality_rules AS" in check.query
                or "FROM ops.quality_rules)" in check.query)  # fmt: skip

    assert all(_literal(rule.name) in query for rule in QUALITY_RULES)


def test_every_reason_is_compared() -> None:
    """Faults that call for rejection are counted for each reason of the contract."""
    query = BY_NAME["faults that call for rejection"].query

    assert all(_literal(reason.value) in query for reason in FAULT_REASONS.values())


@pytest.mark.parametrize(("device", "is_handheld"), [("desktop", "false"), ("mobile", "true")])
def test_handheld_devices(device: str, is_handheld: str) -> None:
    """Every device except the desktop is compared as a handheld one."""
    assert f"('{device}', {is_handheld})" in BY_NAME["devices of the contract"].query


def test_planted_faults_by_reason() -> None:
    """Each reject reason has exactly the counters of the faults that it rejects."""
    by_reason = {
        reason: set(counters.split(" + "))
        for reason, counters in re.findall(r"\('(\w+)', ([^)]+)\)", PLANTED_FAULTS)
    }

    assert by_reason == {
        reason.value: {f"{name}_faults" for name, own in FAULT_REASONS.items() if own == reason}
        for reason in FAULT_REASONS.values()
    }


def test_additional_records() -> None:
    """Every planted fault counts as one more acknowledged record, except losses and late events."""
    (counters,) = re.findall(r"sum\(events \+ ([^)]+)\) AS records", SUMS_OF_THE_LEDGER)

    assert set(counters.split(" + ")) == {f"{name}_faults" for name in FAULT_NAMES} - {
        "late_faults", "lost_faults"
    }  # fmt: skip


def test_events_by_name() -> None:
    """A ledger entry's events are compared with the sum over all names of events."""
    (counters,) = re.findall(r"one\.events <> ([^,]+),", SUMS_OF_THE_LEDGER)

    assert sorted(counters.split(" + ")) == sorted(f"{name}_events" for name in EVENT_NAMES)


def test_counts_are_all_or_none() -> None:
    """A batch of an old version has none of the counts; every other one has all of them."""
    query = BY_NAME["records that a batch read"].query
    ((counts, none, every),) = re.findall(r"num_nulls\(([^)]+)\) NOT IN \((\d), (\d)\)", query)

    assert (int(none), int(every)) == (0, len(counts.split(", ")))
    assert {"stored_events", "rejected_records", "late_events"} <= set(counts.split(", "))
