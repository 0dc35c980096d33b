"""The bodies of HTTP requests that carry records in a form.

Owns how records are grouped into requests. A record that was broken on purpose gets a separate
request, because a receiver may refuse it, and must not refuse others with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from clickstream_generator.core.form_conversion import Converter, parsed
from clickstream_generator.core.form_rows import WHOLE
from clickstream_generator.errors import RecordTooLarge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from clickstream_generator.core.faults import Record
    from clickstream_generator.core.form_rows import Form

__all__ = ["AttributeHeaders", "Request", "Requests"]

_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
"""Characters that the HTTP binding of CloudEvents leaves as they are, section 3.1.3.2."""
_JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        body: The body.
        headers: The headers that depend on the form.
        records: Number of records in it.
        is_broken: Whether it carries a record that was broken on purpose.
    """

    body: bytes
    headers: Mapping[str, str]
    records: int = 1
    is_broken: bool = False


@dataclass
class _Group:
    """The records of one request."""

    values: list[bytes] = field(default_factory=list)
    size_bytes: int = 0


class AttributeHeaders:
    """The attributes of a CloudEvent as headers, in binary content mode.

    Args:
        form: The form of CloudEvents.
        prefix: ``ce_`` for Kafka, ``ce-`` for HTTP.
    """

    def __init__(self, form: Form, prefix: str) -> None:
        self._prefix = prefix
        self._converter = Converter(form)
        self._whole = next(row.target for row in form.rows if row.source == WHOLE)

    def of(self, value: bytes | None) -> list[tuple[str, str]]:
        """Return the headers of a native record; none if it is no JSON object."""
        record = parsed(value)
        if record is None:
            return []
        return [
            ("content-type" if name == "datacontenttype" else self._prefix + name, str(text))
            for name, text in self._converter.members(record).items()
            if name != self._whole
        ]


class Requests:
    """The maker of a form's requests.

    Args:
        form: The form.
        most_records: Most records in a request; ``None`` for the form's limit.
    """

    def __init__(self, form: Form, most_records: int | None = None) -> None:
        posted = form.posted or form
        self._name = form.name
        self._post = posted.post
        self._most = min(most_records or self._post.most_records, self._post.most_records)
        self._converter = None if form.others is None and _is_whole(posted) else Converter(posted)
        self._headers = None
        if self._post.is_headers and self._most == 1:
            self._headers = AttributeHeaders(posted, "ce-")

    def of(self, records: Sequence[Record], broken: Collection[int] = ()) -> Iterator[Request]:
        """Return the requests for native records.

        Args:
            records: The records.
            broken: The places of those that were broken on purpose.

        Raises:
            RecordTooLarge: A record that is not broken is larger than the form allows.
        """
        open_groups: dict[bytes, _Group] = {}
        for place, (value, _) in enumerate(records):
            if place in broken:
                yield self._alone(value, is_broken=True)
            elif self._headers is not None:
                yield self._alone(value, is_broken=False)
            else:
                yield from self._added(open_groups, value or b"")
        for group in open_groups.values():
            yield self._request(group.values)

    def _added(self, groups: dict[bytes, _Group], value: bytes) -> Iterator[Request]:
        """Add a record to its group; return the group's request if it has no room."""
        head, converted = b"", value
        if self._converter is not None:
            record = parsed(value)
            members = {} if record is None else self._converter.members(record)
            if self._post.is_merged:
                head = _head(members)
            converted = value if record is None else orjson.dumps(members)
        if len(converted) > self._post.most_record_bytes:
            raise RecordTooLarge(self._name, len(converted), self._post.most_record_bytes)
        group = groups.setdefault(head, _Group())
        is_full = (
            len(group.values) >= self._most
            or group.size_bytes + len(converted) > self._post.most_bytes
        )
        if group.values and is_full:
            yield self._request(group.values)
            group = groups[head] = _Group()
        group.values.append(converted)
        group.size_bytes += len(converted) + len(self._post.between)

    def _request(self, values: list[bytes], *, is_broken: bool = False) -> Request:
        post = self._post
        if post.is_merged:
            body = _merged(values)
        else:
            body = post.before + post.between.join(values) + post.after
        return Request(body, {"content-type": post.content_type}, len(values), is_broken)

    def _alone(self, value: bytes | None, *, is_broken: bool) -> Request:
        """Return the request for one record; one that is no JSON object is the whole body."""
        if self._headers is not None:
            headers = {name: quote(text, safe=_SAFE) for name, text in self._headers.of(value)}
            return Request(value or b"", headers or {"content-type": _JSON}, 1, is_broken)
        if parsed(value) is None:
            return Request(value or b"", {"content-type": self._post.content_type}, 1, is_broken)
        converted = value if self._converter is None else self._converter.convert(value)
        return self._request([converted or b""], is_broken=is_broken)


def _is_whole(form: Form) -> bool:
    """Return whether the form's record is the event as it is."""
    return [(row.target, row.source) for row in form.rows] == [("", WHOLE)]


def _head(members: Mapping[str, Any]) -> bytes:
    """Return what records of one GA4 request have in common: all but events and time."""
    return orjson.dumps(
        {
            name: value
            for name, value in members.items()
            if name not in {"events", "timestamp_micros"}
        }
    )


def _merged(values: list[bytes]) -> bytes:
    """Return the body of the first record, with the events of all."""
    if len(values) == 1:
        return values[0]
    bodies = [orjson.loads(value) for value in values]
    return orjson.dumps(bodies[0] | {"events": [body["events"][0] for body in bodies]})
