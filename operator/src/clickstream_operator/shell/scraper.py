"""The workers' metrics, read over HTTP.

Owns which pods are asked, and the limits of an answer in time and size.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp

from clickstream_operator.core.observed import scrape_from
from clickstream_operator.core.pod import METRICS_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from clickstream_operator.core.observed import Pod, Scrape

__all__ = ["Scraper"]

_SECONDS = 2.0
_BYTES = 1_000_000
_AT_A_TIME = 64


class Scraper:
    """Reads the metrics of many workers at a time, while the context is open."""

    async def __aenter__(self) -> Self:
        """Open the pool of connections."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            connector=aiohttp.TCPConnector(limit=_AT_A_TIME),
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self._session.close()

    async def ask(self, pods: Iterable[Pod]) -> dict[str, Scrape]:
        """Return the figures of the workers that answer, by pod."""
        asked = [pod for pod in pods if pod.address and not pod.is_over]
        found = await asyncio.gather(*(self._one(pod.address) for pod in asked))
        return {
            pod.name: scrape for pod, scrape in zip(asked, found, strict=True) if scrape is not None
        }

    async def _one(self, address: str) -> Scrape | None:
        host = f"[{address}]" if ":" in address else address
        try:
            url = f"http://{host}:{METRICS_PORT}/metrics"
            # The author of a pod must not redirect the operator to another address.
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != HTTPStatus.OK:
                    return None
                content = bytearray()
                async for piece in answer.content.iter_any():
                    content += piece
                    if len(content) > _BYTES:
                        return None
            return scrape_from(content.decode())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            # A worker that starts or ends does not answer; the next reconcile asks again.
            return None
