"""The checks cover every mart, and their SQL takes the values that are bound."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from clickstream_contract.canonical import checksum_sql
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import is_legal
from clickstream_contract.ledger import FAULT_REASONS
from clickstream_streaming.core.checks import (
    CHECKS,
    LEDGER_TOTALS,
    REJECTS,
    Check,
    run_prefix,
)
from clickstream_streaming.core.sql.mart import Mart, is_kept, is_whole, source_of
from clickstream_streaming.core.sql.marts import MARTS
from hypothesis import given
from hypothesis import strategies as st

VALUES = {"run_ids": "RUNS", "prefixes": "PREFIXES"}


def _of(mart: Mart) -> Check:
    """Return the check that compares a mart with its definition."""
    (found,) = (check for check in CHECKS if f"concat_ws(' ', '{mart.table}'," in check.query)
    return found


def test_every_defect_is_sought() -> None:
    """Each figure of the verification has a check, and no check another figure."""
    assert {check.defect for check in CHECKS} == {
        "lost", "duplicated", "phantom", "altered", "session_mismatches", "aggregate_mismatches",
        "illegal_transitions",
    }  # fmt: skip


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_every_mart_is_compared(mart: Mart) -> None:
    """Each mart is compared with its definition over all kept events, in both directions."""
    check = _of(mart)

    is_sessions = mart.table == "mart.sessions"
    assert check.defect == ("session_mismatches" if is_sessions else "aggregate_mismatches")
    columns = ", ".join(mart.columns)
    assert f"SELECT {columns} FROM {mart.table} AS one" in check.query  # noqa: S608  compared only
    assert mart.select.format(source=source_of(mart)) in check.query
    sums = " OR ".join(f"{name} <> 0" for name in mart.values) if mart.is_sum else "true"
    assert f"WHERE {is_whole(mart)} AND ({sums})\n" in check.query
    assert check.query.count("EXCEPT") == 2
    assert f"GROUP BY {', '.join(mart.key)}\n" in check.query


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_empty_sum_is_no_row(mart: Mart) -> None:
    """A sum that has come back to 0 is left out; rows of other marts all count."""
    query = _of(mart).query

    sums = " OR ".join(f"{name} <> 0" for name in mart.values)
    assert (f"AND ({sums})\n" in query) == mart.is_sum
    assert ("AND (true)\n" in query) != mart.is_sum


@pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)
def test_dropped_days_are_not_compared(mart: Mart) -> None:
    """Rows that can no longer be computed are left out of a mart that needs the days."""
    query = _of(mart).query

    assert ("WHERE true AND (" in query) == (not mart.kept_by)
    assert ("ops.progress WHERE query = 'retention'" in query) == bool(mart.kept_by)


@pytest.mark.parametrize("query", [*(check.query for check in CHECKS), REJECTS])
def test_query_takes_bound_values(query: str) -> None:
    """Each percent sign is doubled or part of a value's name."""
    found = query % VALUES

    assert "%(" not in found
    assert set(re.findall(r"%\((\w+)\)s", query)) <= VALUES.keys()


def test_totals_need_no_values() -> None:
    """The ledger's sums are over all runs."""
    assert "%" not in LEDGER_TOTALS


def test_illegal_check_knows_journey() -> None:
    """Just the journey's steps between two events are legal."""
    (query,) = (check.query for check in CHECKS if check.defect == "illegal_transitions")

    (listed,) = re.findall(r"NOT IN \(((?:\('\w+', '\w+'\)(?:, )?)+)\)", query)
    pairs = re.findall(r"\('(\w+)', '(\w+)'\)", listed)
    assert sorted(pairs) == sorted(
        (source, target)
        for source in EVENT_NAMES
        for target in EVENT_NAMES
        if is_legal(source, target)
    )


def test_content_is_compared_with_ledger() -> None:
    """The sum of events' checksums is compared with the ledger's, minute by minute, both ways."""
    content, _ = (check.query for check in CHECKS if check.defect == "altered")

    assert f"sum({checksum_sql()})::bigint AS content_checksum" in content
    assert content.count("SELECT run_id, shard, minute, content_checksum\n") == 1
    assert "SELECT run_id, shard, minute, content_checksum FROM stored" in content
    assert content.count("EXCEPT") == 2
    assert content.rstrip().endswith("GROUP BY run_id, shard, minute")


def test_dropped_days_are_not_summed() -> None:
    """The ledger is compared in minutes whose events retention has kept."""
    queries = [check.query for check in CHECKS if "checked AS (" in check.query]

    assert len(queries) == 2
    for query in queries:
        assert f"AND {is_kept('event_time')} GROUP BY" in query
        assert f"WHERE events > 0 AND {is_kept('minute')} AND" in query


def test_early_sending_is_alteration() -> None:
    """An event that was sent a second before it happened is altered: no checksum covers that."""
    _, early = (check.query for check in CHECKS if check.defect == "altered")

    assert "FROM raw.events WHERE sent_at < event_time - interval '1 second'" in early


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
