"""The names of tests: short, and with the property as a sentence below."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[2]
_WORDS = range(2, 7)


def _unclear(source: str) -> list[str]:
    """Return the tests whose name has too few or too many words, or that have no docstring."""
    return [
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and (node.name.count("_") not in _WORDS or not ast.get_docstring(node))
    ]


def test_names_are_short() -> None:
    """A test's name has two to six words, and its docstring states the property."""
    files = [*TESTS.glob("**/test_*.py")]
    found = {
        str(file.relative_to(TESTS)): unclear
        for file in files
        if (unclear := _unclear(file.read_text(encoding="utf-8")))
    }

    assert len(files) > 200
    assert found == {}


def test_unclear_names_are_found() -> None:
    """One word, seven words, and a missing docstring are found."""
    good = 'def test_a_b():\n    """Property."""\n'
    assert _unclear(good) == []
    assert _unclear(good.replace("test_a_b", "test_a")) == ["test_a"]
    assert _unclear(good.replace("a_b", "a_b_c_d_e_f_g")) == ["test_a_b_c_d_e_f_g"]
    assert _unclear("def test_a_b():\n    pass\n") == ["test_a_b"]
