"""Retries end with a deadline that counts only the time in which the process ran."""

from __future__ import annotations

import time
from itertools import count

import pytest
from clickstream_streaming.shell import retry as module
from clickstream_streaming.shell.retry import Deadline, retry


@pytest.mark.parametrize(
    ("moments", "has_passed"),
    [
        ([0.0], False),
        ([10.0], False),
        ([10.1], True),
        ([4.0, 10.0], False),
        ([4.0, 10.1], True),
    ],
)
def test_time_passes(
    monkeypatch: pytest.MonkeyPatch, moments: list[float], *, has_passed: bool
) -> None:
    """The deadline passes when the clock reaches it, however often it is checked."""
    clock = iter([0.0, *moments])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    deadline = Deadline(10.0)

    assert [deadline.has_passed() for _ in moments][-1] == has_passed


def test_stop_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop of the process for an hour counts as 30 seconds."""
    clock = iter([0.0, 1.0, 3_601.0, 3_669.0, 3_670.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    deadline = Deadline(61.5)

    assert [deadline.has_passed() for _ in range(4)] == [False, False, False, True]


class _Work:
    """Work that fails some times, then succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts = 0
        self.errors: list[str] = []
        self.waits: list[float] = []

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ValueError(f"failure {self.attempts}")
        return "done"

    def retry(self, seconds: float = 60.0, *, stops: bool = False) -> str:
        """Retry the work, and record errors and waits."""

        def wait(seconds: float) -> bool:
            self.waits.append(seconds)
            return stops

        return retry(
            self,
            ValueError,
            seconds,
            "it failed",
            on_error=lambda error: self.errors.append(str(error)),
            wait=wait,
        )


def test_success_needs_no_retry() -> None:
    """Work that succeeds at once is not repeated."""
    work = _Work(0)

    assert work.retry() == "done"
    assert (work.attempts, work.errors, work.waits) == (1, [], [])


def test_failure_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is cleaned up, logged and waited for."""
    work = _Work(2)

    assert work.retry() == "done"
    assert work.errors == ["failure 1", "failure 2"]
    assert work.waits == [module.RETRY_SECONDS] * 2
    assert [row.message for row in caplog.records] == [
        "it failed, retrying: failure 1",
        "it failed, retrying: failure 2",
    ]


def test_retries_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the given time the last error is raised."""
    clock = count(step=25.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    work = _Work(99)

    with pytest.raises(ValueError, match="failure 13"):
        work.retry(300.0)
    assert len(work.waits) == 12


def test_stopping_ends_retries() -> None:
    """A process that stops makes no other attempt."""
    work = _Work(99)

    with pytest.raises(ValueError, match="failure 1"):
        work.retry(stops=True)
    assert work.attempts == 1


def test_final_error_ends_retries() -> None:
    """An error that the clean-up raises is final."""

    def refuse(error: Exception) -> None:
        raise error

    work = _Work(99)

    with pytest.raises(ValueError, match="failure 1"):
        retry(work, ValueError, 60.0, "it failed", on_error=refuse)
    assert work.attempts == 1


def test_other_errors_are_raised() -> None:
    """An error that no retry can mend is raised at once."""
    work = _Work(99)

    with pytest.raises(ValueError, match="failure 1"):
        retry(work, KeyError, 60.0, "it failed")
    assert work.attempts == 1
