"""Errors of the judge: each names what is wrong, where, and what to do; nothing is judged then.

``JudgeError`` is the root:

- ``MappingInvalid``: the mapping file cannot be used as written.
- ``TruthUnusable``: run record or ledger cannot be used.
- ``ResultUnfit``: the result has no such table or column, or a type that cannot be compared.
- ``EngineUnusable``: an engine is missing, does not answer, or fails.
- ``JudgeFailed``: the judge has a defect.
- ``TooMuchToJudge``: a table has more groups than fit into the judge's memory.
"""

from __future__ import annotations

from typing import Any

from clickstream_contract.errors import shortened

__all__ = [
    "EngineUnusable",
    "JudgeError",
    "JudgeFailed",
    "MappingInvalid",
    "ResultUnfit",
    "TooMuchToJudge",
    "TruthUnusable",
]


class JudgeError(Exception):
    """Root of the judge's errors."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process restores the error: without its constructor."""
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[JudgeError], args: tuple[Any, ...], fields: dict[str, Any]) -> JudgeError:
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(fields)
    return error


class JudgeFailed(JudgeError):
    """The judge has a defect.

    Attributes:
        reason: The type of the error.
    """

    def __init__(self, reason: str) -> None:
        """Keep the field and build the text."""
        self.reason = reason
        super().__init__(f"the judge failed ({reason}), so nothing is judged; report this as a bug")


class MappingInvalid(JudgeError):
    """A mapping cannot be used as written.

    Attributes:
        path: The field, such as ``result.columns.user_id``.
        value: Its value, as :func:`clickstream_contract.errors.shortened` gives it; empty for none.
        remedy: What to do.
    """

    def __init__(self, path: str, value: object, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.path, self.remedy = path, remedy
        self.value = "" if value is None else shortened(value)
        found = f"{self.value} cannot be used; " if self.value else ""
        super().__init__(f"{path}: {found}{remedy}")


class TruthUnusable(JudgeError):
    """Run record or ledger cannot be used.

    Attributes:
        place: The file or topic.
        found: What is wrong.
        remedy: What to do.
    """

    def __init__(self, place: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.place, self.found, self.remedy = place, found, remedy
        super().__init__(f"{place} {found}; {remedy}")


class ResultUnfit(JudgeError):
    """The result does not have what the mapping names.

    Attributes:
        path: The mapping's field.
        found: What is wrong.
        remedy: What to do.
    """

    def __init__(self, path: str, found: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.path, self.found, self.remedy = path, found, remedy
        super().__init__(f"{path}: {found}; {remedy}")


class EngineUnusable(JudgeError):
    """An engine cannot be asked.

    Attributes:
        engine: Its name.
        reason: The engine's text, or what is missing.
        remedy: What to do.
    """

    def __init__(self, engine: str, reason: str, remedy: str) -> None:
        """Keep the fields and build the text."""
        self.engine, self.reason, self.remedy = engine, reason, remedy
        super().__init__(f"{engine}: {reason}; {remedy}")


class TooMuchToJudge(JudgeError):
    """A table has more groups than fit into memory.

    Attributes:
        path: The mapping's field.
        most: The largest number of groups.
    """

    def __init__(self, path: str, most: int) -> None:
        """Keep the fields and build the text."""
        self.path, self.most = path, most
        super().__init__(
            f"{path}: the run has more than {most:,} groups by these keys; map a table with fewer"
            " keys, or judge a shorter run"
        )
