"""Quality rules: one per requirement of a field, and some for unusual events."""

from __future__ import annotations

import pytest
from clickstream_contract.events import EVENT_FIELDS
from clickstream_contract.quality import (
    HUGE_ORDER_MINOR,
    LARGE_QUANTITY,
    LATE_SECONDS,
    QUALITY_RULES,
    RECORD,
    TOLERATED_SECONDS,
    FlagReason,
    QualityRule,
    Severity,
)
from clickstream_contract.topics import RejectReason

BY_NAME = {row.name: row for row in QUALITY_RULES}
REJECTED, FLAGGED = Severity.REJECT, Severity.FLAG


def test_each_rule_has_its_name() -> None:
    """A rule is named by field and reason, and no name comes twice."""
    rule = QualityRule("device", REJECTED, RejectReason.UNKNOWN_VALUE, "One of three.")

    assert rule.name == "device.unknown_value"
    assert len(BY_NAME) == len(QUALITY_RULES)


def test_whole_record_is_judged_first() -> None:
    """The first rules are about the record: value, size, encoding, form."""
    names = [row.name for row in QUALITY_RULES if row.field == RECORD]

    assert names == [
        "record.no_value", "record.oversized", "record.bad_encoding", "record.not_json",
        "record.wrong_type", "record.missing_field",
    ]  # fmt: skip
    assert [row.name for row in QUALITY_RULES[:6]] == names


def test_required_fields_must_be_there() -> None:
    """Each required field has a rule that it is there, in its events or in every one."""
    required = {row.name for row in EVENT_FIELDS if row.required}
    found = {
        row.field
        for row in QUALITY_RULES
        if row.reason is RejectReason.MISSING_FIELD and row.field != RECORD
    }

    assert found == required
    assert BY_NAME["event_id.missing_field"].doc == "It is there in every event."
    assert BY_NAME["search_term.missing_field"].doc == "It is there in search."
    assert BY_NAME["quantity.missing_field"].doc == (
        "It is there in add_to_cart, remove_from_cart."
    )


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        ("record.oversized", "At most 65536 bytes."),
        ("run_id.wrong_type", "A UUID in lower case."),
        ("sent_at.wrong_type", "A time such as 2026-01-31T12:00:00.000Z."),
        ("sent_at.out_of_range", "Not before the year 2000."),
        ("device.unknown_value", "One of mobile, desktop, tablet."),
        ("schema_version.unknown_version", "One of 1, 2."),
        ("user_id.out_of_range", "From 1 to 32 characters."),
        ("shard.out_of_range", "At least 0, at most 1023."),
        ("items.out_of_range", "At most 50 lines."),
        ("kind.unknown_value", "In the ledger: one of run_start, revision, minute, shard_end."),
        ("minute.out_of_range", "In the ledger: not before the year 2000."),
        ("shards.out_of_range", "In the ledger: at least 1, at most 1024."),
        ("quantity.out_of_range", "At least 1, at most 1000000."),
        ("event_time.future_time", "Not more than 5 s after Kafka got the record."),
    ],
)
def test_bad_value_is_rejected(name: str, doc: str) -> None:
    """A value outside the contract is rejected, with the bound in words."""
    assert BY_NAME[name].severity is REJECTED
    assert BY_NAME[name].doc == doc


def test_types_have_their_rules() -> None:
    """An id has a form and no bounds; a listed value has no length; lines are counted."""
    reasons = {
        name: [row.reason.value for row in QUALITY_RULES if row.field == name]
        for name in ("event_id", "event_name", "referrer", "items", "schema_version")
    }

    assert reasons == {
        "event_id": ["missing_field", "wrong_type"],
        "event_name": ["missing_field", "unknown_value"],
        "referrer": ["out_of_range"],
        "items": ["missing_field", "out_of_range"],
        "schema_version": ["missing_field", "unknown_version"],
    }


def test_odd_events_are_flagged() -> None:
    """Events that are late, early, large or worth nothing are stored and flagged."""
    flagged = {row.name: row.doc for row in QUALITY_RULES if row.severity is FLAGGED}

    assert flagged == {
        "event_time.late": "Not more than 600 s before Kafka got the record.",
        "sent_at.clock_ahead": "Not more than 5 s after Kafka got the record.",
        "quantity.large": "At most 100 pieces at once.",
        "price_minor.zero": "More than nothing.",
        "value_minor.large": (
            "An order is worth at most 100000 euros, or as much in another currency, "
            "by its price level."
        ),
        "value_minor.zero": "An order is worth more than nothing.",
    }
    assert all(
        isinstance(row.reason, FlagReason) == (row.severity is FLAGGED) for row in QUALITY_RULES
    )


def test_bounds_are_as_documented() -> None:
    """The bounds that rules and the stream share."""
    assert (TOLERATED_SECONDS, LATE_SECONDS) == (5, 600)
    assert (LARGE_QUANTITY, HUGE_ORDER_MINOR) == (100, 10_000_000)
