"""Events are compared with the ledger and with the journey."""

from __future__ import annotations

import re

from clickstream_contract.canonical import checksum_sql
from clickstream_contract.events import EVENT_NAMES
from clickstream_contract.journey import is_legal
from clickstream_streaming.core.sql.checks import (
    CHECKS,
)
from clickstream_streaming.core.sql.mart import is_kept

VALUES = {"run_ids": "RUNS", "prefixes": "PREFIXES"}


def test_illegal_check_knows_journey() -> None:
    """Just the journey's steps between two events are legal."""
    (query,) = (check.query for check in CHECKS if check.defect == "illegal_transitions")

    (listed,) = re.findall(r"NOT IN \(((?:'\w+>\w+'(?:, )?)+)\)", query)
    pairs = re.findall(r"'(\w+)>(\w+)'", listed)
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
    assert "FROM found FULL JOIN wanted USING (run_id, shard, minute)" in content
    assert "found.content_checksum) IS DISTINCT FROM (wanted.run_id," in content


def test_dropped_days_are_not_summed() -> None:
    """The ledger is compared in minutes whose events retention has kept."""
    queries = [check.query for check in CHECKS if "checked AS (" in check.query]

    assert len(queries) == 2
    for query in queries:
        assert f"FROM raw.events WHERE {is_kept('event_time')} GROUP BY" in query
        assert f"WHERE events > 0 AND {is_kept('minute')} AND" in query


def test_early_sending_is_alteration() -> None:
    """An event that was sent a second before it happened is altered: no checksum covers that."""
    _, early = (check.query for check in CHECKS if check.defect == "altered")

    assert "FROM raw.events WHERE sent_at < event_time - interval '1 second'" in early


def test_lost_and_duplicated_events_are_counted() -> None:
    """A row of these checks may stand for many events, and has their number."""
    counted = {check.name: check.query for check in CHECKS if check.has_counts}

    assert {"numbers that are there", "numbers that are there once"} <= counted.keys()
