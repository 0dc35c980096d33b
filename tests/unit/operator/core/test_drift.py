"""Comparing what is in the cluster with what is wanted."""

from __future__ import annotations

import pytest
from clickstream_operator.core.drift import satisfies
from hypothesis import given
from hypothesis import strategies as st

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def _with_defaults(value: object) -> object:
    """Add a field to every mapping, as the API server adds its defaults."""
    if isinstance(value, dict):
        return {**{key: _with_defaults(row) for key, row in value.items()}, "added": 1}
    return [_with_defaults(row) for row in value] if isinstance(value, list) else value


@given(_JSON)
def test_added_defaults_are_no_drift(wanted: object) -> None:
    """An object satisfies its state, also after the API server has added defaults."""
    assert satisfies(wanted, wanted)
    assert satisfies(_with_defaults(wanted), wanted)


@pytest.mark.parametrize("wanted", ["", 0, False, [], {}])
def test_missing_empty_values_are_held(wanted: object) -> None:
    """The API server drops empty values: what is wanted empty may be missing."""
    assert satisfies(None, wanted)
    assert satisfies({}, {"a": wanted})


@pytest.mark.parametrize("wanted", ["x", 1, True, [1], {"a": {}}, {"a": 0}, [""]])
def test_missing_values_are_drift(wanted: object) -> None:
    """What is wanted with content must be there."""
    assert not satisfies(None, wanted)


@pytest.mark.parametrize(
    ("actual", "wanted"),
    [
        ({"a": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": "x"}, {"a": ""}),
        ("text", {}),
        ("text", []),
        ({}, []),
        ([], {}),
        ("x", {"a": 1}),
        ({"a": 1}, [1]),
        (1, 2),
        (5, ""),
    ],
)
def test_other_values_are_drift(actual: object, wanted: object) -> None:
    """A value of another content or another type does not hold what is wanted."""
    assert not satisfies(actual, wanted)


@pytest.mark.parametrize(
    ("actual", "wanted", "is_held"),
    [
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
        ([1], [1, 2], False),
        ([1], [], False),
        ([{"a": 1, "b": 2}], [{"a": 1}], True),
        ([{"a": 1}, {"a": 2}], [{"a": 1}], False),
        ([{"a": 1}], [{"a": 1}, {"a": 1}], False),
        ([{"a": 1}, {"a": 1}], [{"a": 1}, {"a": 1}], True),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 1}], False),
    ],
)
def test_plain_lists_hold_entry_by_entry(
    actual: list[object], wanted: list[object], *, is_held: bool
) -> None:
    """Entries without a key are compared in their order and number."""
    assert satisfies(actual, wanted) is is_held


@pytest.mark.parametrize("key", ["name", "containerPort", "mountPath", "uid", "key", "port"])
def test_keyed_entries_are_found(key: str) -> None:
    """Entries with a key may be in any order and beside others."""
    wanted = [{key: "a", "x": 1}, {key: "b"}]

    assert satisfies([{key: "c"}, {key: "b", "y": 2}, {key: "a", "x": 1}], wanted)
    assert not satisfies([{key: "b"}, {key: "a", "x": 2}], wanted)
    assert not satisfies([{key: "a", "x": 1}], wanted)


@pytest.mark.parametrize(
    ("actual", "wanted", "is_held"),
    [
        ([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
         [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], True),
        ([{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
         [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}], False),
        ([{"port": 53, "protocol": "UDP"}], [{"port": 53, "protocol": "TCP"}], False),
        ([{"name": "a"}, {"name": "a"}], [{"name": "a"}], False),
        ([{"name": "a"}, {"name": None}], [{"name": "a"}], False),
        ([{"name": "a"}, "b"], [{"name": "a"}], False),
        ([{"name": ["a"]}, {"name": "b"}], [{"name": "b"}], False),
        ([{"name": "b", "port": 1}, {"name": "a", "port": 2}],
         [{"name": "a", "port": 2}, {"name": "b", "port": 1}], True),
    ],
)  # fmt: skip
def test_ambiguous_keys_compare_in_order(
    actual: list[object], wanted: list[object], *, is_held: bool
) -> None:
    """A key counts only if every entry has it, as text or number, and no two share it."""
    assert satisfies(actual, wanted) is is_held
