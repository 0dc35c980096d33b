"""The derived parts of the documentation, and where in a page each is.

A page marks a part by ``<!-- derived: NAME -->`` and ``<!-- end -->`` on lines of their own. Owns
the list of parts that need no database, and how a page is renewed.
"""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import form_parts
import process_parts
import resource_parts
from clickstream_contract.derive import markdown_table
from clickstream_contract.effects import OVERLAYS, EffectPreset, Overlay
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.incidents import KINDS
from clickstream_contract.journey import mermaid
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.personas import PERSONAS
from clickstream_contract.quality import QUALITY_RULES
from clickstream_contract.topics import TOPICS, RejectReason
from clickstream_generator.core.exercise import parse_exercise
from clickstream_generator.core.form_tables import FORMS
from clickstream_operator.core.reasons import Reason
from markdown_tables import Rows, attribute_texts, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["DOCS", "PARTS", "ROOT", "renewed"]

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_MARK = re.compile(r"^<!-- derived: ([a-z0-9-]+) -->\n.*?^<!-- end -->$", re.MULTILINE | re.DOTALL)


def renewed(page: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """Return the page with the named parts as they should be; others stay."""

    def fresh(found: re.Match[str]) -> str:
        make = parts.get(found[1])
        if make is None:
            return found[0]
        return f"<!-- derived: {found[1]} -->\n{make()}\n<!-- end -->"

    return _MARK.sub(fresh, page)


def _topics() -> str:
    rows = [
        (
            f"`{topic.name}`",
            str(topic.partitions),
            topic.doc,
            ", ".join(f"`{name}={value}`" for name, value in topic.settings.items()),
        )
        for topic in TOPICS
    ]
    return table(("Topic", "Partitions", "What", "Settings"), rows)


def _limits() -> str:
    rows: Rows = []
    for row in EVENT_FIELDS:
        if row.values:
            rows.append((f"`{row.name}`", "one of " + ", ".join(f"`{one}`" for one in row.values)))
        elif row.type is FieldType.ITEMS:
            rows.append((f"`{row.name}`", f"1 to {row.max_length} lines"))
        elif row.minimum is not None:
            most = "" if row.maximum is None else f", at most {row.maximum:,}"
            rows.append((f"`{row.name}`", f"at least {row.minimum}{most}"))
        elif row.type.value == "text":
            rows.append((f"`{row.name}`", f"1 to {row.max_length} characters"))
    rows.append(("the record", f"at most {MAX_EVENT_BYTES:,} bytes"))
    return table(("Field", "Values"), rows)


def _rejects() -> str:
    """Return when each reason applies, in the words below it in the source."""
    meanings = attribute_texts(RejectReason)
    return table(
        ("Reason", "When"), [(f"`{row.value}`", meanings[row.name]) for row in RejectReason]
    )


def _reasons() -> str:
    meanings = attribute_texts(Reason)
    return table(("Reason", "Meaning"), [(f"`{row.value}`", meanings[row.name]) for row in Reason])


def _rules() -> str:
    rows = [(f"`{rule.name}`", rule.severity.value, rule.doc) for rule in QUALITY_RULES]
    return table(("Rule", "What happens", "The rule"), rows)


def _personas() -> str:
    rows = [
        (
            one.name,
            one.doc,
            f"{one.think_median_seconds:g} s",
            str(one.return_permille),
            str(one.price_sense_permille),
            str(one.weekend_permille),
        )
        for one in PERSONAS.values()
    ]
    head = (
        "Persona", "Who", "Median think time", "Returning, permille", "Price sense, permille",
        "Weekend to weekday, permille",
    )  # fmt: skip
    return table(head, rows)


def _effects() -> str:
    """Return the overlays of the preset Retail, by the steps that they change."""
    rows: Rows = []
    for overlay in OVERLAYS[EffectPreset.RETAIL]:
        who = overlay.who.model_dump(exclude_defaults=True)
        when = overlay.when.model_dump(exclude_defaults=True)
        conditions = [
            f"{name} {', '.join(map(str, values))}" for name, values in (who | when).items()
        ]
        steps = [
            f"`{target}` after `{source}`: {multiplier}"
            for source, targets in overlay.transitions.items()
            for target, multiplier in targets.items()
        ]
        rows.append((f"`{overlay.name}`", "; ".join(conditions), "; ".join(steps)))
    return table(("Overlay", "Whose sessions", "Multipliers, permille"), rows)


def _incidents() -> str:
    """Return the kinds of incidents, by the steps and the time that they change."""
    rows: Rows = []
    for kind, overlay in KINDS.items():
        changes = [
            f"`{target}` after `{source}`: {multiplier}"
            for source, targets in overlay.transitions.items()
            for target, multiplier in targets.items()
        ]
        if overlay.think_permille != Overlay(name="plain").think_permille:
            changes.append(f"time between two steps: {overlay.think_permille}")
        if overlay.faults.loss_permille:
            changes.append(f"none; `lossPermille`: {overlay.faults.loss_permille}")
        rows.append((f"`{kind.value}`", "; ".join(changes)))
    return table(("Kind", "Multipliers, permille"), rows)


def _exercises() -> str:
    """Return the exercises in the checkout, with the columns of their answers."""
    rows: Rows = []
    for path in sorted((ROOT / "exercises").glob("*.yaml")):
        one = parse_exercise(path.read_text(encoding="utf-8"), path.name)
        columns = ", ".join(f"`{name}`" for name in one.truth.answer_columns)
        link = f"[{path.stem}](../exercises/{path.name})"
        rows.append((link, f"`{Path(one.simulation).name}`", one.question, columns))
    return table(("Exercise", "Simulation", "Question", "Columns"), rows)


def _sample() -> str:
    """Return the first purchase of a small shop, always the same."""
    event = json.loads(form_parts.sample_purchase())
    return "```json\n" + json.dumps(event, indent=2) + "\n```"


def _pages() -> str:
    """List the pages by their titles; decisions by their numbers."""
    places = ("*.md", "forms/*.md", "adr/*.md")
    pages = [page for place in places for page in sorted(DOCS.glob(place))]
    return _listed([page for page in pages if page.name != "README.md"])


def _runbooks() -> str:
    return _listed(sorted(DOCS.glob("runbooks/*.md")))


def _listed(pages: list[Path]) -> str:
    """Link each page by its title, the first line."""
    titles = [page.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for page in pages]
    return "\n".join(
        f"- [{title}]({page.relative_to(DOCS)})" for title, page in zip(titles, pages, strict=True)
    )


PARTS: dict[str, Callable[[], str]] = {
    "topics": _topics,
    "event": lambda: markdown_table(EVENT_FIELDS),
    "items": lambda: markdown_table(ITEM_FIELDS),
    "limits": _limits,
    "ledger": lambda: markdown_table(LEDGER_FIELDS),
    "sample": _sample,
    "effects": _effects,
    "incidents": _incidents,
    "exercises": _exercises,
    **{f"form-{name}": partial(form_parts.part_of, name) for name in FORMS if name != "native"},
    "form-conversions": form_parts.conversions,
    "rejects": _rejects,
    "quality-rules": _rules,
    "reasons": _reasons,
    "journey": lambda: f"```mermaid\n{mermaid().strip()}\n```",
    "personas": _personas,
    "resource-spec": lambda: resource_parts.fields_of("spec"),
    "resource-rules": resource_parts.rules,
    "resource-status": lambda: resource_parts.fields_of("status"),
    "resource-columns": resource_parts.columns,
    "metrics": process_parts.metrics,
    "environment": process_parts.environment,
    "commands": process_parts.commands,
    "pages": _pages,
    "runbooks": _runbooks,
}
"""Each derived part that needs no database, by its name."""
