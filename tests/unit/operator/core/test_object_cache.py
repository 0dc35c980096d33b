"""The newest known version of each object."""

from __future__ import annotations

from typing import Any

from clickstream_operator.core.object_cache import ObjectCache, key_of
from hypothesis import given
from hypothesis import strategies as st

_KEY = ("load", "shop")


def _body(version: object, uid: str = "u", name: str = "x", **more: object) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid, "resourceVersion": str(version)}, **more}


def _versions(cache: ObjectCache) -> list[str]:
    return [row["metadata"]["resourceVersion"] for row in cache.of(_KEY)]


def test_key_is_the_label() -> None:
    """An object belongs to the simulation that its label names, in the same namespace."""
    labels = {"clickstream.dev/simulation": "shop"}

    assert key_of({"metadata": {"namespace": "load", "labels": labels}}) == ("load", "shop")
    assert key_of({"metadata": {"namespace": "load", "labels": None}}) == ("load", "")
    assert key_of({"metadata": {"namespace": "load"}}) == ("load", "")


def test_objects_are_returned_sorted() -> None:
    """A simulation's objects come by kind and name, each with its kind in it."""
    cache = ObjectCache()
    cache.put(_KEY, "Service", _body(1, "s", "a"))
    cache.put(_KEY, "Pod", _body(1, "q", "b"))
    cache.put(_KEY, "Pod", _body(1, "p", "a"))

    rows = cache.of(_KEY)

    assert [(row["kind"], row["metadata"]["uid"]) for row in rows] == [
        ("Pod", "p"), ("Pod", "q"), ("Service", "s"),
    ]  # fmt: skip
    assert cache.of(("load", "other")) == []
    assert list(cache.keys()) == [_KEY]


def test_managed_fields_are_left_out() -> None:
    """Who wrote which field is of no use here and takes much memory; all else is kept."""
    cache, body = ObjectCache(), _body(7, spec={"a": 1})
    body["metadata"]["managedFields"] = []
    cache.put(_KEY, "Pod", body)

    assert cache.of(_KEY) == [{**_body(7, spec={"a": 1}), "kind": "Pod"}]


def test_older_version_changes_nothing() -> None:
    """A watch's late event does not undo the answer to a write."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(7))
    cache.put(_KEY, "Pod", _body(6))

    assert _versions(cache) == ["7"]


def test_equal_version_replaces() -> None:
    """Of two answers with one version the later one counts."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(7, spec="first"))
    cache.put(_KEY, "Pod", _body(7, spec="second"))

    assert [row["spec"] for row in cache.of(_KEY)] == ["second"]


def test_versions_compare_as_numbers() -> None:
    """Version 10 is newer than version 9."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(10))
    cache.put(_KEY, "Pod", _body(9))

    assert _versions(cache) == ["10"]


@given(st.permutations(range(1, 8)))
def test_any_order_ends_the_same(versions: list[int]) -> None:
    """However events and answers are mixed, the newest version is left."""
    cache = ObjectCache()
    for version in versions:
        cache.put(_KEY, "Pod", _body(version))

    assert _versions(cache) == ["7"]


def test_unknown_versions_count_as_zero() -> None:
    """An object without a readable version is taken, and every other version replaces it."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", {"metadata": {"name": "x", "uid": "u"}})
    assert len(cache.of(_KEY)) == 1
    cache.put(_KEY, "Pod", _body("?", spec="unreadable"))
    assert [row["spec"] for row in cache.of(_KEY)] == ["unreadable"]
    cache.put(_KEY, "Pod", _body(1))
    cache.put(_KEY, "Pod", _body("?"))

    assert _versions(cache) == ["1"]


def test_answer_after_the_end_is_ignored() -> None:
    """What ended at a version does not come back by an answer up to that version."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(7))
    cache.drop(_KEY, "Pod", _body(8))
    cache.put(_KEY, "Pod", _body(7))
    cache.put(_KEY, "Pod", _body(8))

    assert cache.of(_KEY) == []
    assert list(cache.keys()) == []


def test_relabelled_object_comes_back() -> None:
    """A watch by label reports an end where only the label went; a newer version is taken."""
    cache = ObjectCache()
    cache.put(_KEY, "Deployment", _body(7))
    cache.drop(_KEY, "Deployment", _body(8))
    cache.put(_KEY, "Deployment", _body(9))

    assert _versions(cache) == ["9"]


def test_successor_of_the_name_stays() -> None:
    """The end of an object does not remove another object of its name."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(10, "successor"))
    cache.drop(_KEY, "Pod", _body(8, "former"))

    assert _versions(cache) == ["10"]


def test_drop_removes_only_its_own() -> None:
    """The other objects of the simulation stay, and so does its key."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(7))
    cache.put(_KEY, "Service", _body(7, "s"))
    cache.drop(_KEY, "Pod", _body(8))
    cache.drop(("load", "other"), "Pod", _body(8, "never put"))

    assert [row["kind"] for row in cache.of(_KEY)] == ["Service"]
    assert list(cache.keys()) == [_KEY]


def test_ended_objects_are_forgotten_late() -> None:
    """The last 10,000 ends are remembered; an older one no longer keeps its object away."""
    cache = ObjectCache()
    for number in range(10_001):
        cache.drop(_KEY, "Pod", _body(8, f"u{number}", f"x{number}"))
    cache.put(_KEY, "Pod", _body(8, "u0", "first"))
    cache.put(_KEY, "Pod", _body(8, "u1", "second"))

    assert [row["metadata"]["name"] for row in cache.of(_KEY)] == ["first"]


def test_list_ends_what_it_lacks() -> None:
    """An object that a newer or equal list does not have is gone, and its simulation is named."""
    cache = ObjectCache()
    cache.put(_KEY, "Pod", _body(7, "gone"))

    assert cache.keep("load", "Pod", 6, set()) == set()
    assert cache.keep("load", "Pod", 9, {"gone"}) == set()
    assert cache.keep("load", "Pod", 7, {"new"}) == {_KEY}
    assert cache.of(_KEY) == []


def test_list_ends_only_its_scope() -> None:
    """A list is about one kind and one namespace; an empty namespace means all."""
    cache, other = ObjectCache(), ("data", "shop")
    cache.put(_KEY, "Service", _body(7, "another kind"))
    cache.put(other, "Pod", _body(7, "elsewhere"))

    assert cache.keep("load", "Pod", 9, set()) == set()
    assert len(cache.of(_KEY)) == 1
    assert len(cache.of(other)) == 1
    assert cache.keep("", "Pod", 9, set()) == {other}
    assert len(cache.of(_KEY)) == 1
