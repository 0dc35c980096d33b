"""The checks of batches, runs, shards and rules: whole, distinct, and in the contract's terms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from clickstream_contract.countries import COUNTRIES
from clickstream_contract.ledger import FAULT_REASONS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_streaming.core.sql.bookkeeping import BOOKKEEPING, _given, _literal
from clickstream_streaming.shell.verification import DEFECTS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.check import Check

BY_NAME = {check.name: check for check in BOOKKEEPING}


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
    assert query.endswith("GROUP BY name")


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
