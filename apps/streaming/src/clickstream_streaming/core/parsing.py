"""Kafka records to events, ledger records and rejects.

Owns the way from bytes to checked columns: every record comes out exactly once, as what it
is, or with the reason why it is nothing. It does not know what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS, ITEM_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import LEDGER, RejectReason
from pyspark.sql import functions as F

from clickstream_streaming.core.rules import Rule, event_rules, flag_rules, ledger_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.fields import Field
    from pyspark.sql import Column, DataFrame

__all__ = ["checked_records", "event_columns"]

_CORRUPT = "_corrupt"
_MARK = "|"
_AS_TEXT = (FieldType.TEXT, FieldType.UUID, FieldType.TIMESTAMP)
_WRITTEN_AS_TEXT = [field.name for field in EVENT_FIELDS if field.type in _AS_TEXT]
_ITEM_TEXTS = sum(field.type in _AS_TEXT for field in ITEM_FIELDS)
_TEXT_FIELDS = [field.name for field in EVENT_FIELDS if field.type is FieldType.TEXT]
# A field that must be text and holds something else: Spark would take its JSON for the text.
_TEXT_IS_NO_TEXT = f'"({"|".join(_TEXT_FIELDS)})"\\s*:\\s*[^"\\sn]'


def checked_records(kafka: DataFrame) -> DataFrame:
    """Check records of the events' and the ledger's topic.

    Args:
        kafka: What Spark's Kafka source gives: key, value, topic, partition, offset, timestamp.

    Returns:
        topic, partition, offset, timestamp, key, value; ``event`` and ``ledger``, of which at
        most one is set; ``reason`` and ``detail``, set where neither is; ``flags``, what is odd
        about an event.
    """
    text = F.col("value").cast("string")
    size = F.length("value")
    fit = (size <= MAX_EVENT_BYTES) & F.is_valid_utf8(text)
    is_ledger = F.col("topic") == LEDGER.name
    parsed = kafka.select(
        "topic", "partition", "offset", "timestamp", "key", "value",
        F.when(fit, text).alias("text"),
        is_ledger.alias("is_ledger"),
    ).select(
        "*",
        F.when(~is_ledger, _from_json(EVENT_FIELDS)).alias("event"),
        F.when(is_ledger, _from_json(LEDGER_FIELDS)).alias("ledger"),
    )  # fmt: skip
    corrupt = F.coalesce(F.col(f"event.{_CORRUPT}"), F.col(f"ledger.{_CORRUPT}")).isNotNull()
    text_column = F.col("text")
    # Trimming copies the text: only what does not look like an object as it stands needs it.
    is_object = (text_column.startswith("{") & text_column.endswith("}")) | (
        F.trim(text_column).startswith("{") & F.trim(text_column).endswith("}")
    )
    is_json = F.try_parse_json(text_column).isNotNull()
    no_text = ~F.col("is_ledger") & _is_unusual() & text_column.rlike(_TEXT_IS_NO_TEXT)
    rules = [
        Rule("", RejectReason.NO_VALUE, F.col("value").isNull()),
        Rule("", RejectReason.OVERSIZED, size > MAX_EVENT_BYTES),
        Rule("", RejectReason.BAD_ENCODING, text_column.isNull()),
        Rule("", RejectReason.NOT_JSON, ~is_object | (corrupt & ~is_json)),
        Rule("", RejectReason.WRONG_TYPE, corrupt),
        *ledger_rules("ledger", F.col("is_ledger")),
        # What follows is about events; a ledger record is done with here.
        Rule("", None, F.col("is_ledger")),
        _nul_rule(),
        *event_rules("event", F.col("timestamp")),
        Rule("", RejectReason.WRONG_TYPE, no_text),
    ]
    judged = parsed.withColumn("verdict", _verdict(rules))
    fine = F.col("verdict").isNull()
    return judged.select(
        "topic", "partition", "offset", "timestamp", "key", "value",
        F.split_part("verdict", F.lit(_MARK), F.lit(1)).alias("reason"),
        F.split_part("verdict", F.lit(_MARK), F.lit(2)).alias("detail"),
        F.when(fine, F.col("event")).alias("event"),
        F.when(fine, F.col("ledger")).alias("ledger"),
        _flags(flag_rules("event", F.col("timestamp"))).alias("flags"),
    )  # fmt: skip


def event_columns() -> list[Column]:
    """Return the event's fields in the types of its table, from the column ``event``."""
    columns = []
    for field in EVENT_FIELDS:
        value = F.col(f"event.{field.name}")
        if field.type is FieldType.TIMESTAMP:
            value = value.cast("timestamp")
        elif field.type is FieldType.ITEMS:
            value = F.to_json(value)
        columns.append(value.alias(field.name))
    return columns


def _from_json(fields: Sequence[Field]) -> Column:
    """Parse the column ``text``; what does not fit leaves a mark in ``_corrupt``."""
    schema = f"{spark_schema(fields)}, `{_CORRUPT}` string"
    return F.from_json(
        F.col("text"), schema, {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT}
    )


def _is_unusual() -> Column:
    """Say whether a text is worth a second look: whether a field that should be text is not.

    The plain form of a text field is ``"name":"value"``. If its middle mark is there as often
    as there are parsed texts, every text was one; if not, something may be wrong, or is merely
    written in another way. Counting costs a tenth of the regular expression's search.
    """
    texts = F.coalesce(F.size("event.items"), F.lit(0)) * _ITEM_TEXTS
    for name in _WRITTEN_AS_TEXT:
        texts += F.col(f"event.{name}").isNotNull().cast("int")
    return _count('":"') != texts


def _count(mark: str) -> Column:
    """Count how often a mark stands in the text."""
    text = F.col("text")
    without = F.replace(text, F.lit(mark), F.lit(""))
    return (F.octet_length(text) - F.octet_length(without)) / len(mark)


def _nul_rule() -> Rule:
    """Return the rule that no text holds the character NUL, which JSON can write."""
    texts = F.concat_ws("", *(F.col(f"event.{name}") for name in _TEXT_FIELDS))
    # Looking for the escape first spares nearly all records the second look.
    broken = F.col("text").contains("\\u0000") & texts.contains("\0")
    return Rule("", RejectReason.BAD_ENCODING, broken)


def _verdict(rules: list[Rule]) -> Column:
    """Return reason and field of the first rule that is broken, or null.

    One chain of cases, in which a condition that is unknown counts as not met: this is
    evaluated for every record, so there is nothing in it twice.
    """
    first, *others = rules
    chain = F.when(first.broken, _name(first))
    for rule in others:
        chain = chain.when(rule.broken, _name(rule))
    return chain


def _flags(rules: list[Rule]) -> Column:
    """Return the names of the rules that find an event odd, or null."""
    odd = [F.when(rule.broken, F.lit(rule.name)) for rule in rules]
    # Most events break none: only the others pay for the list.
    return F.when(F.coalesce(*odd).isNotNull(), F.concat_ws(",", *odd))


def _name(rule: Rule) -> Column:
    """Return what stands for a rule's verdict."""
    text = None if rule.reason is None else f"{rule.reason.value}{_MARK}{rule.field}"
    return F.lit(text).cast("string")
