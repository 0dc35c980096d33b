"""The errors of all packages have one shape."""

from __future__ import annotations

import importlib
import inspect
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clickstream_streaming.core.log_positions import LogPosition

ROOT = Path(__file__).parents[3]
_PACKAGES = sorted(
    file.parent.name
    for file in [*ROOT.glob("apps/*/src/*/errors.py"), *ROOT.glob("*/src/*/errors.py")]
)
_VALUES: dict[str, Any] = {
    "str": "the text",
    "str | None": "the setting",
    "object": "the value",
    "bool": True,
    "int": 7,
    "float": 8.0,
    "Path": Path("/the/folder"),
    "date": date(2026, 11, 29),
    "list[str]": ["the item"],
    "tuple[str, str]": ("the first", "the second"),
    "tuple[int, int]": (3, 9),
    "dict[str, str]": {"the library": "1"},
    "LogPosition": LogPosition("the id", 5, 6),
}
_BY_NAME = {"remedy": "choose another one", "allowed": "write a number", "kind": "Pod"}
_ADVICE = re.compile(
    r"\b(?:check|choose|correct|create|delete|do not|free|give|install|let|lists|map|migrate|move|"
    r"name|remove|report|restart|restore|run|see|set|start|stop|try|use|write)\b",
    re.IGNORECASE,
)
"""A verb that says what to do."""
_WITHOUT_REMEDY = {"ApiRefused"}
"""The operator itself tries again."""


def _errors() -> list[type[Exception]]:
    """Return the errors that the packages raise: all but the roots."""
    found = []
    for package in _PACKAGES:
        module = importlib.import_module(f"{package}.errors")
        found += [
            value
            for name in module.__all__
            if isinstance(value := getattr(module, name), type) and "__init__" in vars(value)
        ]
    return found


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_error_has_one_shape(error: type[Exception]) -> None:
    """An error keeps what it is made of, documents these fields, and shows each text."""
    given = _given(error)

    made = error(**given)

    listed = re.findall(r"^    ([a-z_, ]+): ", inspect.getdoc(error) or "", re.MULTILINE)
    assert {name for names in listed for name in names.split(", ")} == set(vars(made))
    for value in given.values():
        if isinstance(value, (str, Path)):
            assert str(value) in str(made)


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_error_has_a_remedy(error: type[Exception]) -> None:
    """After what is wrong and where, an error says what to do."""
    text = str(error(**_given(error)))

    _, *rest = re.split(r"; |: |\. ", text)
    assert any(map(_ADVICE.search, rest)) or error.__name__ in _WITHOUT_REMEDY, text


def _given(error: type[Exception]) -> dict[str, Any]:
    """Return a value for each argument of an error."""
    named = list(inspect.signature(error).parameters.items())
    return {name: _BY_NAME.get(name) or _VALUES[str(row.annotation)] for name, row in named}
