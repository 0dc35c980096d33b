"""The operator's errors and their texts."""

from __future__ import annotations

import pytest
from clickstream_operator.errors import ApiRefused, NameTaken, OperatorError


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (409, "the API server answers 409 to PATCH /apis/x: conflict"),
        (0, "the API server does not answer to PATCH /apis/x: conflict"),
    ],
)
def test_refusal_says_what_was_asked(status: int, text: str) -> None:
    """The text has the answer, the call and the API server's words; the fields have them too."""
    error = ApiRefused("PATCH", "/apis/x", status, "conflict")

    assert str(error) == text
    assert (error.method, error.path, error.status, error.message) == (
        "PATCH", "/apis/x", status, "conflict",
    )  # fmt: skip
    assert isinstance(error, OperatorError)


def test_long_words_are_cut() -> None:
    """At most 300 characters of the API server's words are in the text, all in the field."""
    error = ApiRefused("GET", "/", 500, "x" * 301)

    assert str(error) == "the API server answers 500 to GET /: " + "x" * 300
    assert len(error.message) == 301


def test_quota_is_recognised() -> None:
    """A refusal is a quota's if the API server says so."""
    assert ApiRefused("PATCH", "/", 403, "pods x is forbidden: exceeded quota: q").is_quota
    assert not ApiRefused("PATCH", "/", 403, "forbidden").is_quota


@pytest.mark.parametrize(
    ("status", "is_overload"),
    [(0, True), (429, True), (500, True), (503, True), (403, False), (409, False), (422, False)],
)
def test_overload_is_recognised(status: int, *, is_overload: bool) -> None:
    """An API server that is away, busy or broken is not asked for more."""
    assert ApiRefused("PATCH", "/", status, "no").is_overload is is_overload


def test_taken_name_is_named() -> None:
    """The error names the object and both ways out."""
    error = NameTaken("Service", "load", "shop-workers")

    assert (error.kind, error.namespace, error.name) == ("Service", "load", "shop-workers")
    assert str(error) == (
        "Service load/shop-workers exists and does not belong to this simulation:"
        " give the simulation another name, or delete that object"
    )
    assert isinstance(error, OperatorError)
