"""Errors of the judge: each names place, value and what to do."""

from __future__ import annotations

import pickle

import pytest
from clickstream_judge import errors


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.MappingInvalid("late", "maybe", "write kept"),
            "late: 'maybe' cannot be used; write kept",
        ),
        (errors.MappingInvalid("truth.run", None, "add it"), "truth.run: add it"),
        (errors.TruthUnusable("run.json", "is empty", "fill it"), "run.json is empty; fill it"),
        (errors.ResultUnfit("result", "no table 'a'", "name b"), "result: no table 'a'; name b"),
        (
            errors.JudgeFailed("KeyError"),
            "the judge failed (KeyError), so nothing is judged; report this as a bug",
        ),
        (errors.EngineUnusable("postgres", "gone", "start it"), "postgres: gone; start it"),
    ],
)  # fmt: skip
def test_text_of_errors(error: errors.JudgeError, text: str) -> None:
    """An error says where, what and what to do, also after its way between two processes."""
    assert str(error) == text
    restored = pickle.loads(pickle.dumps(error))  # noqa: S301  bytes of this test
    assert (type(restored), str(restored), vars(restored)) == (type(error), text, vars(error))


def test_long_values_are_cut() -> None:
    """A long value is shortened."""
    assert len(errors.MappingInvalid("late", "x" * 500, "shorten it").value) == 200
