"""Rows of forms: their events, their paths and their conflicts."""

from __future__ import annotations

import pytest
from clickstream_generator.core.form_rows import Form, Post, Row, conflict, is_path, steps

POST = Post("text/plain")


@pytest.mark.parametrize(
    ("row", "event", "is_in"),
    [
        (Row("a", "event_id"), "search", True),
        (Row("a", "order_id"), "purchase", True),
        (Row("a", "order_id"), "search", False),
        (Row("a", "items[].brand"), "view_cart", True),
        (Row("a", "items[].brand"), "search", False),
        (Row("a", constant=1, events=("search",)), "purchase", False),
        (Row("a", "*"), "search", True),
    ],
)
def test_row_is_for_its_events(row: Row, event: str, *, is_in: bool) -> None:
    """A row applies to events that have its field, and only to those it names."""
    assert row.is_in(event) is is_in


@pytest.mark.parametrize(
    ("source", "is_known"),
    [("", True), ("*", True), ("items", True), ("items[].brand", True), ("items[].city", False),
     ("colour", False)],
)  # fmt: skip
def test_source_is_a_field(source: str, *, is_known: bool) -> None:
    """A source is a field of the event or of its lines, the whole event, or none."""
    assert Row("a", source).has_known_source() is is_known


def test_paths_have_steps() -> None:
    """A path is names with dots, each an object, a list of lines or a list of one."""
    assert list(steps("a.b[].c[0].$d")) == [("a", ""), ("b", "[]"), ("c", "[0]"), ("$d", "")]
    assert [is_path(text) for text in ("a.b", "a..b", "", "a b", "a[1]", "9")] == [
        True, False, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("targets", "has_conflict"),
    [
        (("a", "a"), True),
        (("a", "a.b"), True),
        (("a.b", "a"), True),
        (("a[].b", "a[0].c"), True),
        (("a.b", "a[].c"), True),
        (("a.b", "a.c", "b"), False),
        (("a[].b", "a[].c"), False),
    ],
)
def test_conflicts_are_found(targets: tuple[str, ...], *, has_conflict: bool) -> None:
    """Two rows must not fill the same place, nor one a place below the other."""
    rows = [Row(target) for target in targets]
    found = conflict(rows)
    assert (found is not None) is has_conflict
    assert found is None or found[1] is rows[1]


def test_own_form_has_row_key() -> None:
    """Two mapping files have different keys if their rows differ; a named form has its name."""
    forms = [Form("mapping", "", (), (Row(name),), POST, is_own=True) for name in "ab"]
    assert forms[0].key != forms[1].key
    assert forms[0].key.startswith("mapping sha256:")
    assert Form("x", "", (), (), POST).key == "x"


def test_own_form_has_usual_limits() -> None:
    """A request of a form without limits has at most 10,000 records, 1 MB, and no special mode."""
    assert (POST.most_records, POST.most_bytes, POST.most_record_bytes) == (
        10_000, 1_000_000, 1_000_000,
    )  # fmt: skip
    assert not POST.is_merged
    assert not POST.is_headers
