"""Errors of the operator.

``OperatorError`` is the root; ``ApiRefused`` is a refusal of the API server, ``NameTaken`` one of
the operator.
"""

from __future__ import annotations

__all__ = ["ApiRefused", "NameTaken", "OperatorError"]

_TOO_MANY, _SERVER_ERROR = 429, 500


class OperatorError(Exception):
    """Root of the operator's errors."""


class ApiRefused(OperatorError):
    """The API server refused a call.

    Attributes:
        method: The HTTP method, such as ``PATCH``.
        path: The object's path.
        status: HTTP status; 0 if there was no answer.
        message: The API server's own words.
        retry_after_seconds: How long the API server asks to wait before the next call.
    """

    def __init__(
        self, method: str, path: str, status: int, message: str, retry_after_seconds: float = 0.0
    ) -> None:
        """Keep the fields and build the text."""
        self.method, self.path, self.status, self.message = method, path, status, message
        self.retry_after_seconds = retry_after_seconds
        answer = f"answers {status}" if status else "does not answer"
        super().__init__(f"the API server {answer} to {method} {path}: {message[:300]}")

    @property
    def is_overload(self) -> bool:
        """Whether the API server is overloaded, so that other calls would fail too."""
        return not self.status or self.status == _TOO_MANY or self.status >= _SERVER_ERROR

    @property
    def is_quota(self) -> bool:
        """Whether a ResourceQuota allows no more objects."""
        return "exceeded quota" in self.message


class NameTaken(OperatorError):
    """A foreign object has a child's name; the operator does not change it.

    Attributes:
        kind: The object's kind.
        namespace: The object's namespace.
        name: The object's name.
    """

    def __init__(self, kind: str, namespace: str, name: str) -> None:
        """Keep the fields and build the text."""
        self.kind, self.namespace, self.name = kind, namespace, name
        super().__init__(
            f"{kind} {namespace}/{name} exists and does not belong to this simulation:"
            " give the simulation another name, or delete that object"
        )
