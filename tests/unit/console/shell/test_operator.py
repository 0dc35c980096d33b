"""The scrape of the operator's metrics."""

from __future__ import annotations

import asyncio
import logging
import urllib.request
from io import BytesIO
from typing import TYPE_CHECKING

from clickstream_console.shell.operator import Operator

if TYPE_CHECKING:
    import pytest

_URL = "http://shop-operator:9403/metrics"
_TEXT = """
clickstream_operator_verification_differences{simulation="load/shop"} 1.0
clickstream_operator_verification_timestamp_seconds{simulation="load/shop"} 1.7957664e+09
"""


def test_operator_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many viewers cause one scrape; a simulation without a result has none."""
    asked: list[str] = []

    def answer(url: str, **_: object) -> BytesIO:
        asked.append(url)
        return BytesIO(_TEXT.encode())

    monkeypatch.setattr(urllib.request, "urlopen", answer)

    async def ask() -> list[int | None]:
        operator = Operator(_URL)
        names = ("load/shop", "load/other", "load/shop")
        rows = [await operator.verification(name) for name in names]
        return [None if row is None else row.differences for row in rows]

    assert asyncio.run(ask()) == [1, None, 1]
    assert asked == [_URL]


def test_silent_operator_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without an operator, or without its answer, no result is known."""

    def refuse(_url: str, **_: object) -> BytesIO:
        raise OSError("refused")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with caplog.at_level(logging.WARNING):
        assert asyncio.run(Operator(_URL).verification("load/shop")) is None
    assert "the operator's metrics cannot be read: refused" in caplog.text
    assert asyncio.run(Operator(None).verification("load/shop")) is None
