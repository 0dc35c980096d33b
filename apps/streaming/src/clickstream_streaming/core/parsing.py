"""Kafka records to events, ledger records and rejects.

Owns the way from bytes to checked columns: every record comes out exactly once, as what it
is, or with the reason why it is nothing. It does not know what becomes of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import LEDGER, RejectReason
from pyspark.sql import functions as F

from clickstream_streaming.core.rules import Rule, event_rules, ledger_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.fields import Field
    from pyspark.sql import Column, DataFrame

__all__ = ["checked_records", "event_columns"]

_CORRUPT = "_corrupt"
_MARK = "|"
_TEXT_FIELDS = [field.name for field in EVENT_FIELDS if field.type is FieldType.TEXT]
# A field that must be text and holds something else: Spark would take its JSON for the text.
_TEXT_IS_NO_TEXT = f'"({"|".join(_TEXT_FIELDS)})"\\s*:\\s*[^"\\sn]'


def checked_records(kafka: DataFrame) -> DataFrame:
    """Check records of the events' and the ledger's topic.

    Args:
        kafka: What Spark's Kafka source gives: key, value, topic, partition, offset, timestamp.

    Returns:
        topic, partition, offset, timestamp, key, value; ``event`` and ``ledger``, of which at
        most one is set; ``reason`` and ``detail``, set where neither is.
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
    is_object = F.trim(text_column).startswith("{") & F.trim(text_column).endswith("}")
    is_json = F.try_parse_json(text_column).isNotNull()
    no_text = text_column.rlike(_TEXT_IS_NO_TEXT) & ~F.col("is_ledger")
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


def _name(rule: Rule) -> Column:
    """Return what stands for a rule's verdict."""
    text = None if rule.reason is None else f"{rule.reason.value}{_MARK}{rule.field}"
    return F.lit(text).cast("string")
