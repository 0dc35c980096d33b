"""The derived parts about processes: metrics, environment variables, commands.

Owns how they are found and described.
"""

from __future__ import annotations

import importlib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from clickstream_contract.environment import SettingsInvalid
from clickstream_contract.metrics import METRICS
from clickstream_local.__main__ import app
from markdown_tables import Rows, attribute_texts, table

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["commands", "environment", "metrics", "processes", "undescribed"]

_ROOT = Path(__file__).parents[1]


def metrics() -> str:
    """Return a table of the metrics of each component."""
    components = dict.fromkeys(row.name.split("_")[1] for row in METRICS)
    sections = []
    for component in components:
        rows = [
            (f"`{row.name}`", row.kind.value, ", ".join(row.labels) or "none", row.help)
            for row in METRICS
            if row.name.startswith(f"clickstream_{component}_")
        ]
        text = table(("Metric", "Kind", "Labels", "Meaning"), rows)
        sections.append(f"## {component.capitalize()}\n\n{text}")
    return "\n\n".join(sections)


def processes() -> dict[str, ModuleType]:
    """Return the settings of each process, by its package."""
    files = [*_ROOT.glob("apps/*/src/*/settings.py"), *_ROOT.glob("operator/src/*/settings.py")]
    names = sorted(file.parent.name for file in files)
    return {name: importlib.import_module(f"{name}.settings") for name in names}


def undescribed(module: ModuleType) -> list[str]:
    """Return the settings that no text in the source describes."""
    meanings = attribute_texts(module.Settings)
    return [row.name for row in fields(module.Settings) if not meanings.get(row.name)]


def _allowed(module: ModuleType, name: str) -> str:
    """Ask the settings themselves what a variable may hold."""
    variable = module.PREFIX + name.upper()
    try:
        module.settings_from({variable: "\0"})
    except SettingsInvalid as error:
        return error.allowed if error.name == variable and error.value else "any text"
    return "any text"


def environment() -> str:
    """Return a table of the environment variables of each process."""
    sections = []
    for package, module in processes().items():
        meanings = attribute_texts(module.Settings)
        rows: Rows = []
        for row in fields(module.Settings):
            default = "required" if row.default is MISSING else _default(row.default)
            rows.append(
                (f"`{row.name.upper()}`", default, _allowed(module, row.name),
                 meanings.get(row.name, ""))
            )  # fmt: skip
        head = f"## {package.removeprefix('clickstream_').capitalize()}\n\n"
        head += f"`python -m {package}`; each name begins with `{module.PREFIX}`.\n\n"
        sections.append(head + table(("Variable", "Default", "May hold", "Meaning"), rows))
    return "\n\n".join(sections)


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return "none"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def commands() -> str:
    """Return usage and arguments of each command."""
    sections: list[str] = []

    def walk(command: Any, name: str) -> None:  # noqa: ANN401  typer's own kind
        children = getattr(command, "commands", {})
        parameters = [row for row in command.params if row.name != "help"]
        if not children or parameters:
            sections.append(_command(command, name, parameters))
        for child in sorted(children):
            walk(children[child], f"{name} {child}")

    walk(typer.main.get_command(app), "clickstream")
    return "\n\n".join(sections)


def _command(command: Any, name: str, parameters: list[Any]) -> str:  # noqa: ANN401  as above
    text = f"## {name}\n\n{(command.help or '').strip()}\n\n"
    text += "```\n" + " ".join([name, *map(_usage, parameters)]) + "\n```"
    rows = [
        (
            f"`{_usage(row).strip('[]')}`",
            "" if row.default in (None, False) else f"`{row.default}`",
            getattr(row, "help", None) or "",
        )
        for row in parameters
    ]
    return text + ("\n\n" + table(("Argument", "Default", "Meaning"), rows) if rows else "")


def _usage(row: Any) -> str:  # noqa: ANN401  typer's own kind
    if row.param_type_name == "argument":
        name = (row.metavar or row.name or "").upper()
        return name if row.required else f"[{name}]"
    value = "" if row.is_flag else f" {(row.name or '').rstrip('_').upper()}"
    return f"[{row.opts[0]}{value}]"
