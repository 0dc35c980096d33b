"""The dashboard Integrity."""

from __future__ import annotations

import re

import pytest
from built_boards import asked, rows_of
from clickstream_contract.ledger import FAULT_REASONS
from clickstream_dashboards.build import dashboard_json
from clickstream_streaming.shell.verification import DEFECTS


def test_rows_are_in_order() -> None:
    """The seven zeros come first, then the reconciliation, and rejects."""
    assert list(rows_of("integrity")) == [
        "Seven zeros: the last verification", "Reconciliation: the present figures",
        "Rejects against planted faults",
    ]  # fmt: skip


def test_every_defect_is_a_figure() -> None:
    """Each defect of a verification is one figure of the last one, in the report's order."""
    figures = asked("integrity", "rawSql")[: len(DEFECTS)]

    for (_, text), name in zip(figures, DEFECTS, strict=True):
        assert text.startswith(f"SELECT {name} AS value ")
        assert text.endswith(" FROM ops.verifications ORDER BY verified_at DESC LIMIT 1")


def test_any_defect_is_red() -> None:
    """A figure is green at zero and red from one on."""
    panels = [row for row in dashboard_json("integrity")["panels"] if row["type"] == "stat"]

    for panel in panels[: len(DEFECTS)]:
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert [(step["value"], step["color"]) for step in steps] == [(None, "green"), (1, "red")]


def test_history_has_every_defect() -> None:
    """The verifications of the time range are shown with all defects."""
    history = dict(asked("integrity", "rawSql"))["Verifications"]

    assert history.startswith(f"SELECT verified_at AS time, {', '.join(DEFECTS)}\n")
    assert "$__timeFilter(verified_at)" in history


@pytest.mark.parametrize(("name", "reason"), FAULT_REASONS.items())
def test_faults_have_their_reasons(name: str, reason: object) -> None:
    """Each planted fault that calls for a reject is set against the rejects of its reason."""
    scored = dict(asked("integrity", "rawSql"))["Planted and rejected"]

    assert f"('{getattr(reason, 'value', reason)}', {name})" in scored
    assert f"sum({name}_faults) AS {name}" in scored


@pytest.mark.parametrize(("title", "text"), asked("integrity", "rawSql"))
def test_no_query_reads_events(title: str, text: str) -> None:
    """What can be known at any moment is read without all events and without the whole ledger."""
    assert not re.search(r"\b(raw\.events|ops\.ledger)\b", text), title
