"""The derived parts of the pages about forms: mapping tables and example records.

Owns how a form's rows are written down.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

from clickstream_contract.document import parse_simulation
from clickstream_contract.events import EVENT_NAMES
from clickstream_generator.core.form_conversion import Converter
from clickstream_generator.core.form_conversions import CONVERSIONS
from clickstream_generator.core.form_requests import AttributeHeaders
from clickstream_generator.core.form_rows import WHOLE
from clickstream_generator.core.form_tables import FORMS
from clickstream_generator.core.simulator import Simulator
from markdown_tables import Rows, table

if TYPE_CHECKING:
    from clickstream_generator.core.form_rows import Form, Row

__all__ = ["SAMPLE_RUN", "SAMPLE_START_SECONDS", "conversions", "part_of", "sample_purchase"]

SAMPLE_RUN = UUID("00000000-0000-4000-8000-000000000007")
SAMPLE_START_SECONDS = 1_764_000_000.0
_SAMPLE_SHOP = """
apiVersion: clickstream.dev/v1alpha1
kind: ClickstreamSimulation
metadata: {name: tested}
spec:
  seed: 42
  rate: {eventsPerSecond: 2000}
  userMix:
    - {persona: Browser, weight: 300}
    - {persona: Shopper, weight: 300}
    - {persona: Buyer, weight: 300}
    - {persona: Bot, weight: 100}
  users: 50000
  catalog: {products: 300, categories: 12}
  shards: 4
"""


@cache
def sample_purchase() -> bytes:
    """Return the first purchase of a small shop, always the same."""
    source = Simulator(parse_simulation(_SAMPLE_SHOP), (0, 1, 2, 3), SAMPLE_RUN)
    source.begin(SAMPLE_START_SECONDS)
    while True:
        events = source.take_due(SAMPLE_START_SECONDS + 600, 20_000)
        bought = (events.rows["code"] == EVENT_NAMES.index("purchase")).nonzero()[0]
        if len(bought):
            encoded = source.encoder.encode(events, round(1_000 * (SAMPLE_START_SECONDS + 600)))
            value: bytes = encoded.values[bought[0]]
            return value


def conversions() -> str:
    """Return the named conversions with their meanings."""
    rows = [(f"`{name}`", (one.__doc__ or "").strip()) for name, one in CONVERSIONS.items()]
    return table(("Conversion", "What it makes"), rows)


def part_of(name: str) -> str:
    """Return sources, mapping table and example of a form."""
    form = FORMS[name]
    parts = [
        "Published specification: "
        + ", ".join(f"[{_shown(url)}]({url})" for url in form.specification)
        + ".",
        "## Mapping",
        _table(form),
    ]
    if form.posted is not None:
        parts += ["### In HTTP requests", _table(form.posted)]
    parts += ["## Example", "A purchase, as `clickstream generate` writes it to standard output:"]
    parts.append(_block(Converter(form).convert(sample_purchase()) or b""))
    if form.posted is not None:
        parts += ["The same purchase in an HTTP request:"]
        parts.append(_block(Converter(form.posted).convert(sample_purchase()) or b""))
    if form.post.is_headers:
        headers = AttributeHeaders(form, "ce_").of(sample_purchase())
        lines = "\n".join(f"{name}: {text}" for name, text in headers)
        parts += ["The headers of the same purchase in Kafka:", f"```\n{lines}\n```"]
    return "\n\n".join(parts)


def _shown(url: str) -> str:
    return (
        url.removeprefix("https://").partition("/")[2].rpartition("/")[2].removesuffix(".md") or url
    )


def _block(value: bytes) -> str:
    return "```json\n" + json.dumps(json.loads(value), indent=2, ensure_ascii=False) + "\n```"


def _table(form: Form) -> str:
    rows: Rows = [(f"`{row.target}`", _source(row), _events(row)) for row in form.rows]
    if form.others is not None:
        rows.append((f"`{form.others}`", "fields that the contract does not have", "any"))
    return table(("Target", "From", "In"), rows)


def _source(row: Row) -> str:
    if row.source == WHOLE:
        return "the whole event"
    if not row.source:
        return f"constant `{json.dumps(row.constant)}`"
    text = f"`{row.source}`"
    if row.conversion:
        text += f" as {row.conversion}"
    if row.names:
        text += "; " + ", ".join(f"`{old}` is `{new}`" for old, new in row.names.items())
    if row.otherwise is not None:
        text += f", others are `{row.otherwise}`"
    return text


def _events(row: Row) -> str:
    always = "every event" if row.source in {"", WHOLE} else "all that have it"
    return ", ".join(row.events) or always
