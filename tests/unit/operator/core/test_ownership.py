"""Whose an object is that has a wanted child's name."""

from __future__ import annotations

from typing import Any

import pytest
from clickstream_operator.core.desired import Owner
from clickstream_operator.core.ownership import is_foreign

_OWNER = Owner("shop", "load", "present")
_LABELS = {"clickstream.dev/simulation": "shop"}
_FORMER = {"kind": "ClickstreamSimulation", "name": "shop", "uid": "former", "controller": True}


@pytest.mark.parametrize(
    "metadata",
    [
        {"ownerReferences": [{**_FORMER, "uid": "present"}]},
        {"ownerReferences": [{"uid": "x"}, {**_FORMER, "uid": "present"}]},
        {"labels": {}, "ownerReferences": [{"kind": "Shop", "uid": "present", "controller": True}]},
        {"labels": _LABELS},
        {"labels": _LABELS, "ownerReferences": None},
        {"labels": _LABELS, "ownerReferences": [_FORMER]},
        {"labels": _LABELS, "ownerReferences": [{"kind": "Shop", "uid": "x", "controller": False}]},
    ],
    ids=["own", "second owner", "own uid", "orphan", "null", "of the former", "mere owner"],
)
def test_own_children_may_change(metadata: dict[str, Any]) -> None:
    """What it controls, or left behind under its label, is the simulation's to change."""
    assert is_foreign(metadata, _OWNER) is False


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"labels": None},
        {"labels": {"clickstream.dev/simulation": "other"}},
        {"ownerReferences": [_FORMER]},
        {"labels": _LABELS, "ownerReferences": [{**_FORMER, "kind": "Shop"}]},
        {"labels": _LABELS, "ownerReferences": [{**_FORMER, "name": "other"}]},
        {"ownerReferences": [{**_FORMER, "uid": "present", "controller": False}]},
    ],
    ids=["nobody's", "null", "other's", "unlabelled", "shop's", "other's too", "no controller"],
)
def test_foreign_objects_stay(metadata: dict[str, Any]) -> None:
    """What something else controls, or does not carry its label, is left alone."""
    assert is_foreign(metadata, _OWNER) is True
