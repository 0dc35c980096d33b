"""A form from a mapping file: own names for the fields of an event.

Owns the file's syntax, YAML::

    id: event_id                                          # target: field
    user.key: user_id                                     # an object
    lines[].sku: items[].product_id                       # a list, one element per order line
    at: {field: event_time, as: micros}                   # a named conversion
    action: {field: event_name, names: {purchase: Order}} # other values
    tenant: {constant: shop}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import yaml
from clickstream_contract.errors import SimulationInvalid
from clickstream_contract.events import EVENT_FIELDS, EVENT_NAMES, ITEM_FIELDS

from clickstream_generator.core.form_conversions import CONVERSIONS
from clickstream_generator.core.form_rows import LINES, WHOLE, Form, Row, conflict, is_path
from clickstream_generator.core.form_tables import LINES as POSTED_AS_LINES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAPPING", "mapping_form"]

MAPPING = "mapping"
"""The name of forms from mapping files."""
_KEYS = ("field", "as", "names", "constant")
_MOST_NAMES = 32
"""Most names in a target; JSON readers refuse records that are nested too deeply."""
_MOST_BYTES = 10_000
"""Largest size of a constant, which every record would have."""


def mapping_form(text: str, place: str) -> Form:
    """Return the form of a mapping file.

    Args:
        text: The file's text.
        place: The file's name, for errors.

    Raises:
        SimulationInvalid: Names the file with line or target, the value, and what to do.
    """
    rows: list[Row] = []
    lines: dict[str, int] = {}
    for target, content, line in _lines(text, place):
        rows.append(_row(target, content, f"{place}, line {line}"))
        lines[target] = line
    _check_conflict(rows, lines, place)
    return Form(
        MAPPING, "own names", (place,), tuple(rows), POSTED_AS_LINES, others="", is_own=True
    )


def _lines(text: str, place: str) -> list[tuple[str, Any, int]]:
    """Return each target with its content and its line."""
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise SimulationInvalid(place, "an alias", "write each value out")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode) or not root.value:
            raise SimulationInvalid(place, "no mapping", "it must have lines TARGET: FIELD")
        # The text of a key counts: YAML reads some names, such as "on", as no text.
        return [
            (str(key.value), loader.construct_object(node, deep=True), key.start_mark.line + 1)
            for key, node in root.value
        ]
    except RecursionError:
        raise SimulationInvalid(place, "too many levels", "use lines TARGET: FIELD") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = place if mark is None else f"{place}, line {mark.line + 1}"
        problem = getattr(error, "problem", None) or "no YAML"
        raise SimulationInvalid(
            where, problem, "it must be YAML with lines TARGET: FIELD"
        ) from None


def _row(target: str, content: Any, where: str) -> Row:  # noqa: ANN401  any YAML
    """Return the row of one line of the file."""
    if not is_path(target) or target.count(".") >= _MOST_NAMES:
        raise SimulationInvalid(
            where,
            target,
            f"a target has names separated by dots, at most {_MOST_NAMES}, such as user.id or "
            "lines[].sku",
        )
    if isinstance(content, str):
        return _checked(Row(target, content), where)
    if not isinstance(content, dict):
        raise SimulationInvalid(
            f"{where}, {target}", content, "it must be a field, or an object with field or constant"
        )
    return _checked(_described_row(target, content, f"{where}, {target}"), where)


def _described_row(target: str, content: dict[str, Any], where: str) -> Row:
    """Return the row of an object with field or constant."""
    for name in content:
        if name not in _KEYS:
            raise SimulationInvalid(where, name, f"one of {', '.join(_KEYS)}")
    if ("field" in content) == ("constant" in content):
        raise SimulationInvalid(where, content, "give either field or constant")
    if "constant" in content:
        if len(content) > 1 or content["constant"] is None:
            raise SimulationInvalid(where, content, "a constant has no other keys")
        if not _is_small_json(content["constant"]):
            raise SimulationInvalid(
                where, "a constant", f"it must be JSON of at most {_MOST_BYTES:,} bytes"
            )
        return Row(target, constant=content["constant"])
    conversion, names = str(content.get("as", "")), content.get("names", {})
    if conversion and conversion not in CONVERSIONS:
        raise SimulationInvalid(f"{where}, as", conversion, f"one of {', '.join(CONVERSIONS)}")
    if not isinstance(names, dict) or not all(
        isinstance(text, str) for text in (*names, *names.values())
    ):
        raise SimulationInvalid(f"{where}, names", names, "it must be VALUE: VALUE, all texts")
    return Row(target, str(content["field"]), conversion, names=names)


def _is_small_json(value: Any) -> bool:  # noqa: ANN401  any YAML
    """Return whether a value is JSON, and small enough to be in every record."""
    try:
        return len(orjson.dumps(value)) <= _MOST_BYTES
    except TypeError:
        return False


def _checked(row: Row, where: str) -> Row:
    """Return the row, if its field exists and fits its target."""
    if not row.has_known_source():
        known = [field.name for field in EVENT_FIELDS if field.name != "items"]
        known += [f"{LINES}{field.name}" for field in ITEM_FIELDS]
        raise SimulationInvalid(
            f"{where}, {row.target}",
            row.source,
            f"an unknown field; use one of {', '.join(known)}, items, {WHOLE} for the whole event",
        )
    is_list = "[]" in row.target
    if row.source.startswith(LINES) != is_list and (is_list or row.source):
        raise SimulationInvalid(
            f"{where}, {row.target}",
            row.source or "a constant",
            f"a target with [] gets a field of the order lines, {LINES}FIELD, and no other does",
        )
    return row


def _check_conflict(rows: list[Row], lines: Mapping[str, int], place: str) -> None:
    """Raise an error if an event could fill a place twice; ``lines`` is by target."""
    for name in EVENT_NAMES:
        found = conflict(row for row in rows if row.is_in(name))
        if found is not None:
            raise SimulationInvalid(
                f"{place}, line {lines[found[1].target]}",
                found[1].target,
                f"the target is filled twice, also by {found[0].target}: remove one of the lines",
            )
