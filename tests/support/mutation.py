"""Mutation test: plant one small fault at a time in a core module and see its tests fail.

For each module of a core, the script plants faults of cosmic-ray's operators one by one (a swapped
comparison, a number off by one, a condition negated ...) and runs the module's own test file, the
one at the mirrored path. A fault that no test notices is a survivor: it shows a missing test, or a
line without effect. Each fault runs in a forked process with the mutated source in place of the
module, so nothing on disk changes.

Run by ``make mutants``, or for some: ``python tests/support/mutation.py operator core.rules``.
"""

from __future__ import annotations

import argparse
import ast
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

__all__ = ["Module", "core_modules", "mutants", "survivors"]

ROOT = Path(__file__).parents[2]
_PACKAGES = {
    "contract": ("apps/contract/src/clickstream_contract", ""),
    "generator": ("apps/generator/src/clickstream_generator", "core"),
    "streaming": ("apps/streaming/src/clickstream_streaming", "core"),
    "operator": ("operator/src/clickstream_operator", "core"),
    "judge": ("apps/judge/src/clickstream_judge", "core"),
}
"""Name of each package, its folder, and the part of it that is pure."""
_COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "GtE_Lt",
                "Gt_LtE", "LtE_Gt", "Is_IsNot", "IsNot_Is")  # fmt: skip
_ARITHMETIC = ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul",
               "LShift_RShift", "RShift_LShift", "BitOr_BitAnd", "BitAnd_BitOr",
               "BitXor_BitAnd")  # fmt: skip
_OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{name}" for name in _COMPARISONS),
    *(f"core/ReplaceBinaryOperator_{name}" for name in _ARITHMETIC),
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_Delete_USub",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/AddNot",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
)
"""One replacement for each operator that Python code has; more would only repeat the same fault."""
_TIMEOUT_SECONDS = 60
_PRELOADED = (
    "numpy",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.json",
    "pydantic",
    "faker",
    "faker.proxy",
    "kubernetes",
    "duckdb",
    "pandas",
    "psycopg2",
    "confluent_kafka",
    "prometheus_client",
    "rich.console",
    "helm_python",
)


@dataclass(frozen=True)
class Module:
    """A module of a core and its test file."""

    package: str
    name: str
    source: Path
    tests: Path


@dataclass(frozen=True)
class Mutant:
    """One planted fault: the mutated source, where the fault is and which operator made it."""

    text: str
    line: int
    operator: str


def core_modules() -> Iterator[Module]:
    """Return each module of a core that has code."""
    for package, (folder, core) in _PACKAGES.items():
        root = ROOT / folder
        for source in sorted((root / core).rglob("*.py")):
            if source.stem == "__init__":
                continue
            place = source.relative_to(root)
            name = ".".join((root.name, *place.with_suffix("").parts))
            tests = ROOT / "tests" / "unit" / package / place.parent / f"test_{source.stem}.py"
            yield Module(package, name, source, tests)


def mutants(text: str, order: random.Random) -> Iterator[Mutant]:
    """Return the mutants of a source, in random order; what only a type checker reads stays."""
    original, nodes = _code_of(text), list(ast_nodes(get_ast(text)))
    places = [
        (name, occurrence)
        for name in _OPERATORS
        for occurrence in range(
            sum(len(list(get_operator(name)().mutation_positions(node))) for node in nodes)
        )
    ]
    order.shuffle(places)
    for name, occurrence in places:
        mutated = mutate_code(text, get_operator(name)(), occurrence)
        if mutated is None:
            continue
        with suppress(SyntaxError):
            if _code_of(mutated) != original:
                yield Mutant(mutated, _first_difference(text, mutated), name.partition("/")[2])


def _code_of(text: str) -> str:
    """Return a source's syntax tree without what type checkers read, and without promises."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant("")
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arguments):
            # The star between arguments, which an operator takes for a product.
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.defaults = [*node.defaults, *filter(None, node.kw_defaults)]
            node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.test = ast.Constant("")
        elif isinstance(node, ast.keyword) and node.arg == "frozen":
            node.value = ast.Constant("")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
            # ``strict`` only fails where this project's own code passes other lengths.
            node.keywords = []
    return ast.dump(tree)


def _first_difference(one: str, other: str) -> int:
    pairs = zip(one.splitlines(), other.splitlines(), strict=False)
    return next((number for number, (a, b) in enumerate(pairs, 1) if a != b), 0)


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from compiled code in place of its file."""

    def __init__(self, module: Module, code: CodeType) -> None:
        self._module, self._code = module, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is loaded from; ``None`` for every other one."""
        del path, target
        if fullname != self._module.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self._module.source, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the planted code as the module."""
        exec(self._code, module.__dict__)  # noqa: S102  that is what a loader does


def _passes(module: Module, text: str) -> bool:
    """Return whether the module's tests pass with another source."""
    code = compile(text, str(module.source), "exec")
    child = os.fork()
    if child == 0:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        # A loop without end is a fault that was noticed; waiting for a core is none.
        signal.setitimer(signal.ITIMER_PROF, _TIMEOUT_SECONDS)
        sys.meta_path.insert(0, _Planted(module, code))
        verdict = 3
        with suppress(BaseException):
            verdict = int(
                pytest.main(
                    ["-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider",
                     "-p", "no:schemathesis", "-m", "not slow",
                     "-W", "ignore::pytest.PytestAssertRewriteWarning", str(module.tests)]
                )
            )  # fmt: skip
        os._exit(verdict)
    _, status = os.waitpid(child, 0)
    return status == 0


def survivors(module: Module, chosen: Sequence[Mutant]) -> list[Mutant]:
    """Return the mutants that the module's own tests do not notice."""
    return [mutant for mutant in chosen if _passes(module, mutant.text)]


def _chosen(module: Module, most: int) -> list[Mutant]:
    """Return some mutants of a module, the same ones each time."""
    order = random.Random(module.name)  # noqa: S311  a sample, no secret
    found = islice(mutants(module.source.read_text(encoding="utf-8"), order), most)
    return sorted(found, key=lambda mutant: (mutant.line, mutant.operator))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _is_named(module: Module, name: str) -> bool:
    return module.package == name or module.name.endswith(name)


def main() -> int:
    """Print each module's survivors and score; return 1 if a package is below the floor."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="packages, or ends of modules' names")
    parser.add_argument("--per-module", type=int, default=15, help="mutants of each module")
    parser.add_argument("--floor", type=float, default=0.0, help="least score, per cent")
    asked = parser.parse_args()
    settings.register_profile("mutation", deadline=None, database=None, derandomize=True)
    settings.load_profile("mutation")
    for name in _PRELOADED:
        importlib.import_module(name)
    scores: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    began = time.monotonic()
    for module in core_modules():
        if asked.modules and not any(_is_named(module, name) for name in asked.modules):
            continue
        if not module.tests.is_file():
            raise SystemExit(f"{module.name} has no test file {module.tests.relative_to(ROOT)}")
        if not _passes(module, module.source.read_text(encoding="utf-8")):
            raise SystemExit(f"{module.tests.relative_to(ROOT)} fails on the code as it is")
        chosen = _chosen(module, asked.per_module)
        alive = survivors(module, chosen)
        for package in (module.package, "all"):
            scores[package][0] += len(chosen) - len(alive)
            scores[package][1] += len(chosen)
        _say(f"{module.name}: {len(chosen) - len(alive)} of {len(chosen)} killed")
        lines = module.source.read_text(encoding="utf-8").splitlines()
        for mutant in alive:
            line = lines[mutant.line - 1].strip()
            _say(f"  survived, line {mutant.line}: {mutant.operator}: {line}")
    for package, (killed, planted) in scores.items():
        share = 100 * killed / planted if planted else 100.0
        _say(f"mutation score of {package}: {killed} of {planted}, {share:.1f} %")
    _say(f"in {time.monotonic() - began:.0f} s")
    return int(any(100 * killed < asked.floor * planted for killed, planted in scores.values()))


if __name__ == "__main__":
    sys.exit(main())
