"""Dialects: families of types, and quoting."""

from __future__ import annotations

import pytest
from clickstream_judge.core.dialect import (
    DUCKDB,
    POSTGRES,
    Family,
    quoted,
    quoted_table,
    text_literal,
)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("VARCHAR", Family.TEXT),
        ("character varying(64)", Family.TEXT),
        ("ENUM('a', 'b')", Family.TEXT),
        ("public.citext", Family.TEXT),
        ("UUID", Family.UUID),
        ("BIGINT", Family.INTEGER),
        ("smallint", Family.INTEGER),
        ("UINTEGER", Family.INTEGER),
        ("HUGEINT", Family.INTEGER),
        ("numeric(12,2)", Family.FRACTION),
        ("double precision", Family.FRACTION),
        ("TIMESTAMP WITH TIME ZONE", Family.TIMESTAMP),
        ("timestamp(3) without time zone", Family.TIMESTAMP),
        ("TIMESTAMP_NS", Family.TIMESTAMP),
        ("date", Family.OTHER),
        ("interval", Family.OTHER),
        ("VARCHAR[]", Family.OTHER),
        ("jsonb", Family.OTHER),
        ("STRUCT(a INTEGER)", Family.OTHER),
    ],
)
def test_engines_have_families(name: str, family: Family) -> None:
    """Engines' names of types have one family each."""
    assert DUCKDB.family(name) is POSTGRES.family(name) is family


def test_names_are_quoted() -> None:
    """Names and texts cannot end their own quotes."""
    assert quoted('raw.my "events"') == '"raw.my ""events"""'
    assert quoted_table('raw.my "events"') == '"raw.my ""events"""'
    assert quoted_table("My Shop.events") == '"My Shop"."events"'
    assert quoted_table('"a.""b".c d') == '"a.""b"."c d"'
    assert quoted_table('"') == '""""'
    assert text_literal("O'Brien") == "'O''Brien'"
