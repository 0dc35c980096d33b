"""Conversion of native records into another form.

Owns the compiled form: for each event name, a tree of the targets that such an event may have. A
record that is no JSON object stays as it is: it was broken on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES

from clickstream_generator.core.form_conversions import convert
from clickstream_generator.core.form_rows import LINES, WHOLE, conflict, steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from clickstream_generator.core.form_rows import Form, Row

    Node = Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

__all__ = ["Converter", "parsed"]

_KNOWN = frozenset(row.name for row in EVENT_FIELDS)


def parsed(value: bytes | None) -> dict[str, Any] | None:
    """Return a record as an object, or ``None`` if it is none."""
    if value is None:
        return None
    try:
        record = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


class Converter:
    """The converter of native records into a form.

    Args:
        form: The form.
    """

    def __init__(self, form: Form) -> None:
        self._plans = {
            name: _compiled([row for row in form.rows if row.is_in(name)], form.texts)
            for name in EVENT_NAMES
        }
        # A planted fault may change the name: such a record gets each target that it has a field
        # for.
        self._unknown = _compiled(_without_conflicts(form.rows), form.texts)
        self._others = None if form.others is None else [*_names(form.others)]

    def convert(self, value: bytes | None) -> bytes | None:
        """Return a record in the form."""
        record = parsed(value)
        return value if record is None else orjson.dumps(self.members(record))

    def members(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members of a parsed record in the form."""
        name = record.get("event_name")
        plan = self._plans.get(name, self._unknown) if isinstance(name, str) else self._unknown
        made: dict[str, Any] = plan(record, record) or {}
        if self._others is not None and not record.keys() <= _KNOWN:
            _put(made, self._others, {key: record[key] for key in record.keys() - _KNOWN})
        return made


@dataclass
class _Branch:
    """An object under construction, or a list of objects."""

    kind: str = ""
    children: dict[str, _Branch | Row] = field(default_factory=dict)


def _compiled(rows: Iterable[Row], texts: Iterable[str]) -> Node:
    """Return the function that builds the record of the rows."""
    rows = list(rows)
    if [row.target for row in rows] == [""]:
        return _leaf(rows[0])
    root = _Branch()
    for row in rows:
        branch = root
        *above, (last, kind) = steps(row.target)
        for name, own_kind in above:
            child = branch.children.setdefault(name, _Branch(own_kind))
            assert isinstance(child, _Branch), row.target  # noqa: S101  rows have no conflict
            branch = child
        if kind:
            branch = branch.children.setdefault(last, _Branch(kind))  # type: ignore[assignment]
            last = ""
        branch.children[last] = row
    return _object(root, "", frozenset(texts))


def _object(branch: _Branch, path: str, texts: frozenset[str]) -> Node:
    """Return the function that builds an object; it returns ``None`` for an empty one."""
    only = branch.children.get("")
    if only is not None and not isinstance(only, _Branch):
        return _leaf(only)  # a list of values
    nodes: list[tuple[str, Node]] = []
    for name, child in branch.children.items():
        below = f"{path}.{name}".removeprefix(".")
        if isinstance(child, _Branch):
            nodes.append((name, _wrapped(child, _object(child, below, texts), below in texts)))
        else:
            nodes.append((name, _leaf(child)))

    def build(record: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any] | None:
        made = {}
        for name, node in nodes:
            value = node(record, event)
            if value is not None:
                made[name] = value
        return made or None

    return build


def _wrapped(branch: _Branch, build: Node, is_text: bool) -> Node:  # noqa: FBT001  private
    """Return the function that builds an object, a list of objects, or an object's JSON text."""

    def lines(record: Mapping[str, Any], event: Mapping[str, Any]) -> list[Any] | None:
        items = record.get("items")
        if not isinstance(items, list):
            return None
        return [build(line, event) for line in items]

    def only(record: Mapping[str, Any], event: Mapping[str, Any]) -> list[Any] | None:
        made = build(record, event)
        return None if made is None else [made]

    def text(record: Mapping[str, Any], event: Mapping[str, Any]) -> str:
        return orjson.dumps(build(record, event)).decode()

    return text if is_text else {"": build, "[]": lines, "[0]": only}[branch.kind]


def _leaf(row: Row) -> Node:
    """Return the function that takes a row's value from a record, ``None`` if it has none."""
    if row.source == WHOLE:
        return lambda _record, event: event
    if not row.source:
        return lambda _record, _event: row.constant
    source = row.source.removeprefix(LINES)
    change = partial(convert, row.conversion) if row.conversion else None

    def take(record: Mapping[str, Any], event: Mapping[str, Any]) -> Any:  # noqa: ANN401  JSON
        value = record.get(source)
        if value is None:
            return None
        if row.names or row.otherwise is not None:
            kept = value if row.otherwise is None else row.otherwise
            value = row.names.get(value, kept) if isinstance(value, str) else value
        return value if change is None else change(value, event)

    return take


def _without_conflicts(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with a source, the first one of each target."""
    kept: list[Row] = []
    for row in rows:
        is_for_some = row.events and not row.source
        if not is_for_some and (not row.target or conflict([*kept, row]) is None):
            kept.append(row)
    return kept


def _names(path: str) -> Iterable[tuple[str, str]]:
    return steps(path) if path else ()


def _put(made: dict[str, Any], path: list[tuple[str, str]], members: dict[str, Any]) -> None:
    """Add members to the object at a path; create the object if it is missing."""
    for name, kind in path:
        below = made.setdefault(name, [{}] if kind else {})
        made = below[0] if kind else below
    made.update(members)
