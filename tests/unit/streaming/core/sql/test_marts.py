"""Each mart has one definition, and what is decided about it in Python fits it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from clickstream_streaming.core.sql.marts import EVENT_MARTS, MARTS, ORDER_MARTS, SESSION_MARTS

if TYPE_CHECKING:
    from clickstream_streaming.core.sql.mart import Mart

EACH = pytest.mark.parametrize("mart", MARTS, ids=lambda mart: mart.table)


def _mart(table: str) -> Mart:
    (found,) = (mart for mart in MARTS if mart.table == table)
    return found


@EACH
def test_columns_are_key_and_values(mart: Mart) -> None:
    """The columns are the key's and then the values', each of them once."""
    assert mart.columns == (*mart.key, *mart.values)
    assert len(set(mart.columns)) == len(mart.columns)
    assert mart.key
    assert mart.values


@EACH
def test_definition_gives_every_column(mart: Mart) -> None:
    """Each column's name is in the definition."""
    words = set(re.findall(r"\w+", mart.select))

    assert set(mart.columns) <= words


@EACH
def test_definition_has_one_blank(mart: Mart) -> None:
    """A definition is complete once its source is filled in."""
    assert "{source}" in mart.select

    text = mart.select.format(source="some_relation")

    assert "some_relation" in text
    assert not {"{", "}", "%"} & set(text)


def test_tables_are_all_marts() -> None:
    """Every definition is in the list once, and its table is in the schema ``mart``."""
    tables = [mart.table for mart in MARTS]

    assert len(set(tables)) == len(tables)
    assert {*EVENT_MARTS, *ORDER_MARTS, *SESSION_MARTS} <= set(MARTS)
    assert all(re.fullmatch(r"mart\.[a-z_]+", table) for table in tables)


def test_sources_come_before_marts() -> None:
    """A mart comes after the one from which it follows, so a rebuild can go in order."""
    places = {mart.table: place for place, mart in enumerate(MARTS)}
    needs = {"sessions": "mart.sessions", "user_day": "mart.user_day"}

    for mart in MARTS:
        if mart.source in needs:
            assert places[mart.table] > places[needs[mart.source]], mart.table
    assert places["mart.fact_order_items"] > places["mart.fact_orders"]


@pytest.mark.parametrize(
    ("table", "key", "time", "kept_by", "is_sum"),
    [
        ("mart.sessions", "session_id", "started_at", "started_at", False),
        ("mart.fact_orders", "order_id", "ordered_at", "ordered_at", False),
        ("mart.dim_product_versions",
         "simulation product_id product_name brand category price_minor currency", "",
         "first_seen_at", False),
        ("mart.user_day", "day simulation user_id", "day", "day", False),
        ("mart.dim_user", "simulation user_id", "", "", False),
        ("mart.product_hour", "hour simulation product_id", "hour", "hour", True),
        ("mart.product_pairs", "simulation product_a product_b", "", "", True),
        ("mart.traffic_minute", "minute simulation country device channel", "minute", "minute",
         True),
        ("mart.traffic_hour", "hour simulation country device channel", "hour", "hour", True),
        ("mart.traffic_day", "day simulation country device channel", "day", "day", True),
        ("mart.sessions_hour", "hour simulation country device channel", "hour", "", True),
        ("mart.pages_day", "day simulation page", "day", "", True),
        ("mart.visitors_hour", "hour simulation", "hour", "", True),
    ],
)  # fmt: skip
def test_mart_has_key_and_times(
    table: str,
    key: str,
    time: str,
    kept_by: str,
    is_sum: bool,  # noqa: FBT001  a case
) -> None:
    """Each mart has its key, the moment of a row, and whether batches add to it."""
    mart = _mart(table)

    assert " ".join(mart.key) == key
    assert (mart.time, mart.kept_by, mart.is_sum) == (time, kept_by, is_sum)


@EACH
def test_every_column_is_described(mart: Mart) -> None:
    """Table and columns have a type and a comment of a sentence."""
    for column in (*mart.keys, *mart.fields):
        assert column.type in {
            "bigint", "boolean", "date", "integer", "numeric", "text", "timestamptz", "uuid",
        }, column.name  # fmt: skip
        assert column.comment.endswith("."), column.name
    assert mart.comment.endswith(".")


@EACH
def test_sums_merge_by_adding(mart: Mart) -> None:
    """A mart of sums has bigint values that cannot be null."""
    if mart.is_sum:
        assert {(one.type, one.constraint) for one in mart.fields} == {("bigint", "NOT NULL")}
