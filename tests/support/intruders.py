"""Temporary objects that shadow PostgreSQL's own, to see whose rights the caller's code gets.

Owns what can be shadowed. A view, a type, a function or an operator of the session's temporary
schema runs :func:`pg_temp.intrude` when a statement takes it for the one of ``pg_catalog``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

__all__ = ["INTRUSION", "shadows"]

INTRUSION = "the caller's code runs as"
"""How the error begins with which the caller's code ends a statement of another role."""

_INTRUDE = f"""
CREATE FUNCTION pg_temp.intrude() RETURNS boolean LANGUAGE plpgsql AS $intrude$
BEGIN
    IF current_user <> session_user THEN
        RAISE EXCEPTION '{INTRUSION.replace("'", "''")} %', current_user;
    END IF;
    RETURN true;
END
$intrude$
"""

# Types are named with their schema: the statements run beside the shadows that they have made.
_SHADOWS = """
WITH plain AS (
    SELECT oid, typname, format('pg_catalog.%I', typname) AS name
    FROM pg_catalog.pg_type
    WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm')
), sources AS (
    SELECT string_agg(prosrc, ' ') AS text FROM pg_catalog.pg_proc
    WHERE pronamespace IN ('raw'::regnamespace, 'ops'::regnamespace, 'mart'::regnamespace)
), used AS (
    SELECT proname, result.name AS result, (
        SELECT coalesce(string_agg(plain.name, ', ' ORDER BY place), '')
        FROM unnest(proargtypes) WITH ORDINALITY AS given (type, place)
        INNER JOIN plain ON plain.oid = given.type
        HAVING count(*) = pronargs
    ) AS arguments
    FROM pg_catalog.pg_proc
    INNER JOIN plain AS result ON result.oid = prorettype, sources
    WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f'
        AND sources.text ~ ('\\m' || proname || '\\M')
), operators AS (
    SELECT oprname, one.name AS one, two.name AS two, result.name AS result,
        format('operator_%s', operator.oid) AS carrier
    FROM pg_catalog.pg_operator AS operator
    INNER JOIN plain AS one ON one.oid = oprleft
    INNER JOIN plain AS two ON two.oid = oprright
    INNER JOIN plain AS result ON result.oid = oprresult, sources
    WHERE oprnamespace = 'pg_catalog'::regnamespace
        AND position(' ' || oprname || ' ' IN sources.text) > 0
)
SELECT 1, format(
    'CREATE FUNCTION pg_temp.%I(%s) RETURNS %s LANGUAGE plpgsql'
    ' AS ''BEGIN PERFORM pg_temp.intrude(); RETURN NULL; END''', proname, arguments, result)
FROM used WHERE arguments IS NOT NULL
UNION ALL
SELECT 1, format(
    'CREATE FUNCTION pg_temp.%I(%s, %s) RETURNS %s LANGUAGE plpgsql'
    ' AS ''BEGIN PERFORM pg_temp.intrude(); RETURN NULL; END''', carrier, one, two, result)
FROM operators
UNION ALL
SELECT 2, format('CREATE OPERATOR pg_temp.%s (LEFTARG = %s, RIGHTARG = %s,'
    ' FUNCTION = pg_temp.%I)', oprname, one, two, carrier)
FROM operators
UNION ALL
SELECT 3, format('CREATE TEMPORARY VIEW %I AS SELECT %s FROM pg_catalog.%I WHERE pg_temp.intrude()',
    relname, string_agg(format('%I', attname), ', ' ORDER BY attnum), relname)
FROM pg_catalog.pg_class AS relation
INNER JOIN pg_catalog.pg_attribute ON attrelid = relation.oid AND attnum > 0
    AND atttypid NOT IN ('anyarray'::regtype, 'pg_statistic[]'::regtype)
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
GROUP BY relname
UNION ALL
SELECT 4, format('CREATE DOMAIN pg_temp.%I AS %s CHECK (pg_temp.intrude())', typname, name)
FROM plain WHERE typname NOT LIKE '\\_%'
ORDER BY 1
"""


def shadows(cursor: Cursor) -> str:
    """Return the statements that shadow everything that our functions use of ``pg_catalog``."""
    cursor.execute(_SHADOWS)
    return ";\n".join([_INTRUDE, *(statement for _, statement in cursor.fetchall())])
