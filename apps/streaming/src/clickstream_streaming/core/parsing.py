"""Kafka records to events, ledger records and rejects.

Owns the way from bytes to checked columns: every record comes out exactly once, as what it
is, or with the reason why it is nothing. It does not know what becomes of them.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from clickstream_contract.derive import spark_schema
from clickstream_contract.events import EVENT_FIELDS, MAX_EVENT_BYTES
from clickstream_contract.fields import FieldType
from clickstream_contract.ledger import LEDGER_FIELDS
from clickstream_contract.topics import LEDGER, RejectReason
from pyspark.sql import functions as F

from clickstream_streaming.core.rules import REASONS, Rule, event_rules, ledger_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickstream_contract.fields import Field
    from pyspark.sql import Column, DataFrame

__all__ = ["checked_records", "event_columns"]

_CORRUPT = "_corrupt"
_TEXT_FIELDS = [field.name for field in EVENT_FIELDS if field.type is FieldType.TEXT]
# A field that must be text and holds something else: Spark would take its JSON for the text.
_TEXT_IS_NO_TEXT = f'"({"|".join(_TEXT_FIELDS)})"\\s*:\\s*[^"\\sn]'


def checked_records(kafka: DataFrame, now_seconds: Column) -> DataFrame:
    """Check records of the events' and the ledger's topic.

    Args:
        kafka: What Spark's Kafka source gives: key, value, topic, partition, offset, timestamp.
        now_seconds: Unix time of the batch.

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
    events, ledgers = event_rules("event", now_seconds), ledger_rules("ledger", LEDGER_FIELDS)
    no_text = text_column.rlike(_TEXT_IS_NO_TEXT) & ~F.col("is_ledger")
    reason = (
        F.when(F.col("value").isNull(), RejectReason.NO_VALUE.value)
        .when(size > MAX_EVENT_BYTES, RejectReason.OVERSIZED.value)
        .when(text_column.isNull(), RejectReason.BAD_ENCODING.value)
        .when(~is_object | (corrupt & ~is_json), RejectReason.NOT_JSON.value)
        .when(corrupt | no_text, RejectReason.WRONG_TYPE.value)
        .when(F.col("is_ledger"), _first_reason(ledgers))
        .otherwise(_first_reason([_nul_rule(), *events]))
    )
    judged = parsed.withColumn("reason", reason)
    detail = F.when(F.col("is_ledger"), _detail(ledgers)).otherwise(_detail(events))
    fine = F.col("reason").isNull()
    return judged.select(
        "topic", "partition", "offset", "timestamp", "key", "value", "reason",
        F.when(~fine, detail).alias("detail"),
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


def _first_reason(rules: list[Rule]) -> Column:
    """Return the first reason that is broken, or null."""
    found: Column | None = None
    for reason in REASONS:
        broken = [F.coalesce(rule.broken, F.lit(False)) for rule in rules if rule.reason is reason]
        if broken:
            any_broken = reduce(or_, broken)
            found = (
                F.when(any_broken, reason.value)
                if found is None
                else found.when(any_broken, reason.value)
            )
    return F.lit(None).cast("string") if found is None else found


def _detail(rules: list[Rule]) -> Column:
    """Name the fields that give the reason."""
    return F.nullif(
        F.concat_ws(
            ", ",
            *(
                F.when(rule.broken & (F.col("reason") == rule.reason.value), rule.field)
                for rule in rules
            ),
        ),
        F.lit(""),
    )
