"""The operator's metrics, which have the results of verifications.

Owns the scrape. An operator that does not answer is no failure of the console: then no result is
known.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.request
from typing import TYPE_CHECKING

from async_lru import alru_cache

from clickstream_console.core.verifications import read_verifications

if TYPE_CHECKING:
    from clickstream_console.core.records import Verification

__all__ = ["Operator"]

_LOG = logging.getLogger(__name__)
_SECONDS = 3.0
_KEPT_SECONDS = 10.0
_MOST_BYTES = 4_000_000


class Operator:
    """Asks the operator at most once in ten seconds, however many viewers there are.

    Args:
        url: The address of its metrics; ``None`` without an operator.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._results = alru_cache(maxsize=1, ttl=_KEPT_SECONDS)(self._ask)

    async def verification(self, simulation: str) -> Verification | None:
        """Return the last verification of a simulation, if one has a result."""
        return (await self._results()).get(simulation)

    async def _ask(self) -> dict[str, Verification]:
        if self._url is None:
            return {}
        try:
            return read_verifications(await asyncio.to_thread(_text, self._url))
        except (OSError, ValueError) as error:
            _LOG.warning("the operator's metrics cannot be read: %s", error)
            return {}


def _text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  http, by the settings
        content: bytes = answer.read(_MOST_BYTES)
    return content.decode()
