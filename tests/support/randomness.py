"""Random numbers that a test chooses.

Owns a generator that hands out given numbers, so that a drawing has one outcome.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Chosen"]


class Chosen(np.random.Generator):
    """A generator whose uniform numbers are given.

    Args:
        uniform: The numbers that :meth:`random` hands out, again and again in this order.
        normal: What :meth:`standard_normal` hands out.
    """

    def __init__(self, *uniform: float, normal: float = 0.0) -> None:
        super().__init__(np.random.PCG64(1))
        self._uniform = uniform
        self._at = 0
        self._normal = normal

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:  # noqa: ANN401  NumPy's signature
        """Return the next numbers."""
        count = int(np.prod(size))
        places = (self._at + np.arange(count)) % len(self._uniform)
        self._at += count
        return np.array(self._uniform)[places].reshape(size)

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:  # noqa: ANN401  NumPy's signature
        """Return the same number everywhere."""
        return np.full(size, self._normal)
