"""The HTTP sink: posts records, and returns the batches that the receiver has acknowledged.

Owns the requests in flight and their retries. An answer 2xx acknowledges a request. The same body
is sent again after 408, 425, 429, 5xx, a time-out or a broken connection, so a receiver sees the
same ids again and can drop them. The status decides; only the start of an answer's body is read,
for messages. A redirect is refused, because the headers may hold secrets. Requests run in parallel:
a receiver gets records of different requests in any order.
"""

from __future__ import annotations

import ssl
import time
from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING

import httpx

from clickstream_generator.errors import ReceiverRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.form_requests import Request, Requests
    from clickstream_generator.core.shard_ledger import Tally
    from clickstream_generator.shell.sink import Batch

__all__ = ["HttpSink"]

_AGAIN = (408, 425, 429)
"""Statuses below 500 after which a request is sent again."""
_BROKEN_REFUSED = (400, 413, 415, 422)
"""Statuses by which a receiver may refuse a record that was broken on purpose."""
_SETTINGS = {
    401: "--http-headers and --http-query",
    403: "--http-headers and --http-query",
    413: "the receiver's limit, and set a smaller --http-batch",
}
"""What to check after a status."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 30.0
_LONGEST_RETRY_AFTER_SECONDS = 600.0
_SHOWN_CHARACTERS = 200
_READ_BYTES, _READ_SECONDS = 65_536, 5.0
"""How much of an answer's body is read, so that its connection can be used again."""
_PART_CHARACTERS = 8
"""Length from which a part of a secret value, such as a token after ``Bearer``, is a secret."""
_CLOSE_SECONDS = 0.5
"""How long a sink waits for each request that is still in flight when it is closed."""


class HttpSink:
    """The sink for one address.

    Args:
        client: The client; the sink closes it.
        url: The address, with its query.
        place: The address without secrets, for messages.
        requests: The maker of requests.
        in_flight: Most requests at a time.
        notice: Called with a sentence when the first attempt of an outage fails.
        hidden: Texts that no message may show.

    Raises:
        ReceiverRefused: By :meth:`send` and :meth:`poll`: the receiver refuses a request, and a
            retry cannot help.
    """

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        place: str,
        requests: Requests,
        in_flight: int,
        notice: Callable[[str], None],
        hidden: tuple[str, ...] = (),
    ) -> None:
        self._client, self._url, self._place = client, url, place
        self._requests = requests
        self._limit = in_flight
        self._notice = notice
        parts = {part for text in hidden for part in text.split() if len(part) >= _PART_CHARACTERS}
        self._hidden = sorted({text for text in hidden if text} | parts, key=len, reverse=True)
        self._jobs: SimpleQueue[tuple[Batch, Request] | None] = SimpleQueue()
        self._changed = Condition()
        self._closed = Event()
        self._flying: deque[Batch] = deque()
        self._open_requests = self._open_records = 0
        self._failure: Exception | None = None
        self._is_out = False
        self._workers = [
            Thread(target=self._work, name=f"http-{number}", daemon=True)
            for number in range(in_flight)
        ]
        for worker in self._workers:
            worker.start()

    def has_room(self, _records: int) -> bool:
        """Return whether fewer requests wait or are in flight than are sent at a time."""
        return self._open_requests < self._limit

    def send(self, records: list[Record], batch: Batch) -> None:
        """Queue the requests for records."""
        self._check()
        made = list(self._requests.of(records, batch.broken))
        with self._changed:
            batch.waiting = len(made)
            self._flying.append(batch)
            self._open_requests += len(made)
            self._open_records += len(records)
        for request in made:
            self._jobs.put((batch, request))

    def poll(self, seconds: float) -> list[Batch]:
        """Return acknowledged batches in order; wait up to ``seconds`` if there are none."""
        with self._changed:
            self._changed.wait_for(self._is_ready, seconds)
            self._check()
            complete = []
            while self._flying and not self._flying[0].waiting:
                complete.append(self._flying.popleft())
        return complete

    def is_idle(self) -> bool:
        """Return whether all batches are acknowledged and returned."""
        return not self._flying

    def in_flight(self) -> int:
        """Return the number of records that are not acknowledged."""
        return self._open_records

    def tallies(self) -> list[Tally]:
        """Return the figures of the batches that are not returned yet."""
        return [batch.tally for batch in self._flying]

    def close(self) -> None:
        """Stop the retries, and close the connections."""
        self._closed.set()
        for _ in self._workers:
            self._jobs.put(None)
        for worker in self._workers:
            worker.join(_CLOSE_SECONDS)
        self._client.close()

    def _is_ready(self) -> bool:
        is_complete = bool(self._flying) and not self._flying[0].waiting
        return is_complete or self._failure is not None

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        """Deliver requests until the sink is closed."""
        while (job := self._jobs.get()) is not None:
            batch, request = job
            try:
                is_delivered = self._deliver(request)
            except Exception as error:  # noqa: BLE001  poll raises it
                with self._changed:
                    self._failure = self._failure or error
                    self._changed.notify_all()
                self._closed.set()
                return
            if not is_delivered:
                return
            with self._changed:
                batch.waiting -= 1
                self._open_requests -= 1
                self._open_records -= request.records
                self._changed.notify_all()

    def _deliver(self, request: Request) -> bool:
        """Send a request until the receiver acknowledges it; return whether it has."""
        pause = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                status, headers, body = self._post(request)
            except httpx.RequestError as error:
                self._check_connection(error)
                problem, wanted = str(error) or type(error).__name__, 0.0
            else:
                if self._is_accepted(status, body, request):
                    self._is_out = False
                    return True
                problem, wanted = f"HTTP {status}", _retry_after_seconds(headers)
            if not self._is_out:
                self._is_out = True
                self._notice(f"{self._place}: {self._shown(problem)}; the request is sent again")
            self._closed.wait(max(pause, wanted))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return False

    def _post(self, request: Request) -> tuple[int, httpx.Headers, str]:
        """Send a request; return status, headers and the start of the body."""
        with self._client.stream(
            "POST",
            self._url,
            content=request.body,
            headers={**request.headers, "accept-encoding": "identity"},
        ) as answer:
            return answer.status_code, answer.headers, _start_of_body(answer)

    def _is_accepted(self, status: int, body: str, request: Request) -> bool:
        """Return whether an answer acknowledges the request, or the request is sent again.

        Raises:
            ReceiverRefused: A retry cannot help.
        """
        if httpx.codes.is_success(status) or (request.is_broken and status in _BROKEN_REFUSED):
            return True
        if status in _AGAIN or httpx.codes.is_server_error(status):
            return False
        shown = " ".join(self._shown(body).split())[:_SHOWN_CHARACTERS]
        setting = _SETTINGS.get(status, "the address and the form")
        raise ReceiverRefused(self._place, f"HTTP {status}", shown, setting)

    def _check_connection(self, error: httpx.RequestError) -> None:
        """Raise an error for a connection that a retry cannot repair."""
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                text = getattr(cause, "verify_message", str(cause))
                raise ReceiverRefused(self._place, "TLS", text, "--ca-file") from None
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
            text = self._shown(str(error))
            raise ReceiverRefused(
                self._place, "request", text, "--http-headers and the address"
            ) from None

    def _shown(self, text: str) -> str:
        """Return a text without secrets."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text


def _start_of_body(answer: httpx.Response) -> str:
    """Return the start of an answer's body; a body may be slow, endless or cut off."""
    until, body = time.monotonic() + _READ_SECONDS, b""
    try:
        for part in answer.iter_bytes():
            body += part
            if len(body) >= _READ_BYTES or time.monotonic() > until:
                break
    except httpx.RequestError:
        pass  # The status has come.
    return body.decode(errors="replace")


def _retry_after_seconds(headers: httpx.Headers) -> float:
    """Return how long the receiver wants no request: seconds or a date, RFC 9110, 10.2.3."""
    text = headers.get("retry-after", "")
    if text.isdecimal():
        return min(float(text), _LONGEST_RETRY_AFTER_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wanted = (moment - datetime.now(UTC)).total_seconds()
    return min(max(wanted, 0.0), _LONGEST_RETRY_AFTER_SECONDS)
