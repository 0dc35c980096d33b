"""The rows of a form: which target gets which field of an event.

Owns the classes of the form tables, the paths of targets, and the check that no two rows of an
event fill the same place. A path has names separated by dots; ``name[]`` is a list with an element
for each order line, ``name[0]`` a list with one element.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["LINES", "WHOLE", "Form", "Post", "Row", "conflict", "is_path", "steps"]

WHOLE = "*"
"""The source of a row that gets the whole event."""
LINES = "items[]."
"""Prefix of a source that is a field of the order lines."""

_STEP = re.compile(r"^([A-Za-z_$@][A-Za-z0-9_$@-]*)(\[\]|\[0\])?$")
_FIELDS = {row.name: row for row in EVENT_FIELDS}
_LINE_FIELDS = frozenset(row.name for row in ITEM_FIELDS)


@dataclass(frozen=True)
class Row:
    """One target of a form.

    Attributes:
        target: Path in the record of the form.
        source: A field of the event, ``items[].FIELD`` for a field of its lines, or ``*`` for the
            whole event; empty for a constant.
        constant: A JSON value, if there is no source.
        conversion: Name in :data:`clickstream_generator.core.form_conversions.CONVERSIONS`; empty
            to copy the value.
        names: Replacements for values of the source.
        otherwise: Replacement for every other value; ``None`` to keep it.
        events: The event names with this row; empty for all that have the source.
    """

    target: str
    source: str = ""
    conversion: str = ""
    constant: Any = None
    names: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    events: tuple[str, ...] = ()

    def is_in(self, event_name: str) -> bool:
        """Return whether events of this name may have the target."""
        if self.events and event_name not in self.events:
            return False
        name = "items" if self.source.startswith(LINES) else self.source
        return name not in _FIELDS or _FIELDS[name].may_be_in(event_name)

    def has_known_source(self) -> bool:
        """Return whether the source is a constant, the whole event, or a field."""
        if self.source.startswith(LINES):
            return self.source.removeprefix(LINES) in _LINE_FIELDS
        return self.source in {"", WHOLE} or self.source in _FIELDS


@dataclass(frozen=True)
class Post:
    """How HTTP requests carry the records of a form.

    Attributes:
        content_type: Media type of a request with several records.
        before, between, after: Bytes around the records of one request.
        most_records, most_bytes: Limits of one request.
        most_record_bytes: Limit of one record.
        is_merged: Whether records with the same head share a request, as GA4 has it.
        is_headers: Whether a request with one record has the attributes as headers, as CloudEvents
            has it.
    """

    content_type: str
    before: bytes = b""
    between: bytes = b","
    after: bytes = b""
    most_records: int = 10_000
    most_bytes: int = 1_000_000
    most_record_bytes: int = 1_000_000
    is_merged: bool = False
    is_headers: bool = False


@dataclass(frozen=True)
class Form:
    """A form: names and nesting of records.

    Attributes:
        name: Its name in ``--form``.
        title: The name of the specification.
        specification: Addresses of the published specification.
        rows: The mapping, in the order of the record's members.
        post: How HTTP requests carry the records.
        others: Path of the object with the fields that the contract does not have; ``""`` for the
            record itself, ``None`` for a form that has the whole event.
        texts: Paths of objects that are written as JSON text.
        posted: The form of records in HTTP requests, if it is another one.
        is_own: Whether the rows come from a mapping file.
    """

    name: str
    title: str
    specification: tuple[str, ...]
    rows: tuple[Row, ...]
    post: Post
    others: str | None = None
    texts: tuple[str, ...] = ()
    posted: Form | None = None
    is_own: bool = False

    @property
    def key(self) -> str:
        """Name of the form; with a hash of the rows, if they come from a mapping file."""
        if not self.is_own:
            return self.name
        return f"{self.name} sha256:{hashlib.sha256(repr(self.rows).encode()).hexdigest()}"


def is_path(target: str) -> bool:
    """Return whether a text is the path of a target."""
    return all(_STEP.match(part) for part in target.split("."))


def steps(target: str) -> Iterator[tuple[str, str]]:
    """Return the names of a path, each with ``[]``, ``[0]`` or nothing."""
    for part in target.split("."):
        found = _STEP.match(part)
        assert found is not None, target  # noqa: S101  paths are checked first
        yield found[1], found[2] or ""


def conflict(rows: Iterable[Row]) -> tuple[Row, Row] | None:
    """Return the first two rows that fill the same place, or ``None``.

    A path below a filled place is also a conflict, and so are ``name`` and ``name[]``.
    """
    filled: dict[tuple[str, ...], Row] = {}
    kinds: dict[tuple[str, ...], tuple[str, Row]] = {}
    for row in rows:
        parts = list(steps(row.target))
        place: tuple[str, ...] = ()
        for at, (name, kind) in enumerate(parts):
            place = (*place, name)
            is_last = at == len(parts) - 1
            if place in filled:
                return filled[place], row
            known, other = kinds.setdefault(place, (kind, row))
            if other is not row and (is_last or known != kind):
                return other, row
        filled[place] = row
    return None
