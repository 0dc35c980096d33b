"""The reasons: words that Kubernetes accepts, each of them once."""

from __future__ import annotations

import re

from clickstream_operator.core.reasons import Reason


def test_reasons_are_camel_case() -> None:
    """Each reason is the name of its member in CamelCase, as conditions need it."""
    for name, reason in Reason.__members__.items():
        assert reason.value == name.title().replace("_", "")
        assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", reason.value)


def test_reasons_are_distinct() -> None:
    """No two members share a word: a condition's reason has one meaning."""
    assert len(Reason) == len(Reason.__members__)
