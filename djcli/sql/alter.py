"""ALTER: the statements that change tables which exist, and the casts between column types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import LiteralString

from psycopg import sql

from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.model import ForeignKey, Index, TableId
from djcli.definition.types import column_comment
from djcli.sql.ddl import default_clause, filling, foreign_key_clause, statement
from djcli.sql.statement import type_sql

_INTEGERS = ("smallint", "integer", "bigint")
_FLOATS = ("real", "double precision")
_TEXTS = ("character varying", "character", "text")
_MOMENTS = ("date", "timestamp without time zone", "timestamp with time zone")
_JSON = ("jsonb", "json")
_MODIFIER = re.compile(r"\((\d+)(?:,(\d+))?\)")


# ---- tables -----------------------------------------------------------------------------------------


def rename_table(table: TableId, name: str) -> sql.Composed:
    """Return the statement that gives a table another name in its schema."""
    return statement("ALTER TABLE {} RENAME TO {}", sql.Identifier(*table), sql.Identifier(name))


def rename_column(table: TableId, old: str, new: str) -> sql.Composed:
    """Return the statement that renames a column; keys and indexes follow by themselves."""
    return statement(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        sql.Identifier(*table),
        sql.Identifier(old),
        sql.Identifier(new),
    )


def alter_table(table: TableId, actions: Sequence[sql.Composable]) -> sql.Composed:
    """Return the one statement that does several things to a table, so that it is rewritten once."""
    return statement("ALTER TABLE {} {}", sql.Identifier(*table), sql.SQL(", ").join(actions))


def lock_tables(tables: Iterable[TableId], *, wait: bool = True) -> sql.Composed:
    """Return the statement that keeps all others out of tables until the transaction ends.

    Without `wait` it is an error that others use one of them.
    """
    names = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
    return statement(f"LOCK TABLE {{}} IN ACCESS EXCLUSIVE MODE{'' if wait else ' NOWAIT'}", names)


def drop_index(schema: str, name: str) -> sql.Composed:
    """Return the statement that drops an index."""
    return statement("DROP INDEX {}", sql.Identifier(schema, name))


def create_index(table: TableId, index: Index, name: str) -> sql.Composed:
    """Return the statement that creates an index."""
    template = "CREATE UNIQUE INDEX {} ON {} ({})" if index.unique else "CREATE INDEX {} ON {} ({})"
    return statement(template, sql.Identifier(name), sql.Identifier(*table), _names(index.attributes))


def comment_on_table(table: TableId, comment: str) -> sql.Composed:
    """Return the statement that sets the comment of a table; an empty one takes it away."""
    return statement("COMMENT ON TABLE {} IS {}", sql.Identifier(*table), sql.Literal(comment or None))


def comment_on_column(table: TableId, attribute: Attribute) -> sql.Composed:
    """Return the statement that sets the comment of an attribute's column, type included."""
    column = sql.Identifier(*table, attribute.name)
    return statement("COMMENT ON COLUMN {} IS {}", column, sql.Literal(column_comment(attribute)))


def fill_nulls(table: TableId, name: str, default: Default) -> sql.Composed:
    """Return the statement that puts the default where an attribute is null."""
    return statement(
        "UPDATE {} SET {} = {} WHERE {} IS NULL",
        sql.Identifier(*table),
        sql.Identifier(name),
        default_value(default),
        sql.Identifier(name),
    )


def fill_from_parent(
    table: TableId,
    parent: TableId,
    taken: Sequence[tuple[str, str]],
    joined: Sequence[tuple[str, str]],
) -> sql.Composed:
    """Return the statement that copies attributes from the row of another table that each row refers to.

    Parameters
    ----------
    taken, joined
        Pairs (own attribute, the parent's): those that are copied, and those that tell the row.
    """
    settings = sql.SQL(", ").join(
        sql.SQL("{} = p.{}").format(sql.Identifier(own), sql.Identifier(theirs)) for own, theirs in taken
    )
    where = sql.SQL(" AND ").join(
        sql.SQL("c.{} = p.{}").format(sql.Identifier(own), sql.Identifier(theirs)) for own, theirs in joined
    )
    return statement(
        "UPDATE {} AS c SET {} FROM {} AS p WHERE {}",
        sql.Identifier(*table),
        settings,
        sql.Identifier(*parent),
        where,
    )


def number_on(table: TableId, name: str) -> sql.Composed:
    """Return the statement after which the database numbers rows from the highest number that is there."""
    return statement(
        "SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence({}, {}), (SELECT max({}) FROM {}))",
        sql.Literal(sql.Identifier(*table).as_string()),
        sql.Literal(name),
        sql.Identifier(name),
        sql.Identifier(*table),
    )


# ---- actions of ALTER TABLE -------------------------------------------------------------------------


def add_column(attribute: Attribute, *, required: bool) -> sql.Composed:
    """Return the action that adds a column, its default filled in.

    Parameters
    ----------
    required
        Whether it is NOT NULL from the start; without a default that takes an empty table.
    """
    words: list[sql.Composable] = [sql.Identifier(attribute.name), column_type(attribute.type)]
    if required:
        words.append(sql.SQL("NOT NULL"))
    return sql.SQL("ADD COLUMN ") + sql.SQL(" ").join([*words, *filling(attribute)])


def drop_column(name: str) -> sql.Composed:
    """Return the action that drops a column."""
    return sql.SQL("DROP COLUMN {}").format(sql.Identifier(name))


def change_type(name: str, before: AttributeType, after: AttributeType) -> sql.Composed:
    """Return the action that gives a column another type, its values cast."""
    return sql.SQL("ALTER COLUMN {} TYPE {} USING {}").format(
        sql.Identifier(name), column_type(after), converted(sql.Identifier(name), before, after)
    )


def set_default(name: str, default: Default | None) -> sql.Composed:
    """Return the action that sets a column's default, or takes it away."""
    if default is None:
        return sql.SQL("ALTER COLUMN {} DROP DEFAULT").format(sql.Identifier(name))
    return sql.SQL("ALTER COLUMN {} SET {}").format(sql.Identifier(name), default_clause(default))


def set_required(name: str, *, required: bool) -> sql.Composed:
    """Return the action that makes a column NOT NULL, or lets it be null."""
    word = sql.SQL("SET NOT NULL") if required else sql.SQL("DROP NOT NULL")
    return sql.SQL("ALTER COLUMN {} {}").format(sql.Identifier(name), word)


def set_identity(name: str, *, numbered: bool) -> sql.Composed:
    """Return the action that lets the database number the rows, or stops it."""
    word = sql.SQL("ADD GENERATED BY DEFAULT AS IDENTITY") if numbered else sql.SQL("DROP IDENTITY")
    return sql.SQL("ALTER COLUMN {} {}").format(sql.Identifier(name), word)


def drop_constraint(name: str) -> sql.Composed:
    """Return the action that drops a constraint."""
    return sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(name))


def add_primary_key(names: Iterable[str]) -> sql.Composed:
    """Return the action that adds the primary key."""
    return sql.SQL("ADD PRIMARY KEY ({})").format(_names(names))


def add_foreign_key(key: ForeignKey) -> sql.Composed:
    """Return the action that adds a foreign key, which PostgreSQL names."""
    return sql.SQL("ADD ") + foreign_key_clause(key)


# ---- types ------------------------------------------------------------------------------------------


def column_type(kind: AttributeType) -> sql.Composable:
    """Return the type of a column; an enum's schema must be known."""
    if kind.is_enum:
        return sql.Identifier(*([kind.enum_schema] if kind.enum_schema else []), kind.column)
    return type_sql(kind.column)


def default_value(default: Default) -> sql.Composable:
    """Return a default as an expression."""
    return type_sql(default.value) if default.is_expression else sql.Literal(default.value)


def base_type(kind: AttributeType) -> str:
    """Return the column's type without length or precision; ``enum`` for all enums."""
    return "enum" if kind.is_enum else _MODIFIER.sub("", kind.column)


def cast_route(before: AttributeType, after: AttributeType) -> tuple[LiteralString, ...] | None:
    """Return through which types a value goes on its way from one column type to another.

    Returns
    -------
    tuple or None
        The types in between, none where the cast is direct; None where values cannot be cast at all.
    """
    old, new = base_type(before), base_type(after)
    if "enum" in (old, new):
        other = new if old == "enum" else old
        return ("text",) if other == "enum" or other in _TEXTS else None
    if old == new:
        return ()
    if "bytea" in (old, new):
        return None
    if old in _TEXTS or new in _TEXTS:
        return () if old in _TEXTS and new in _TEXTS else ("text",)
    if "boolean" in (old, new):
        return _boolean_route(new if old == "boolean" else old)
    numbers = (*_INTEGERS, *_FLOATS, "numeric")
    for family in (numbers, _MOMENTS, _JSON, ("jsonb", *numbers)):
        if old in family and new in family:
            return () if new != "jsonb" or old in _JSON else None
    return None


def _boolean_route(other: str) -> tuple[LiteralString, ...] | None:
    if other == "integer":
        return ()
    return ("integer",) if other in _INTEGERS else None


def converted(value: sql.Composable, before: AttributeType, after: AttributeType) -> sql.Composed:
    """Return the expression that casts a value of one type to another; null where no cast exists."""
    route = cast_route(before, after)
    expression = value if route is not None else sql.SQL("NULL")
    for step in route or ():
        expression = sql.SQL("{}::{}").format(expression, type_sql(step))
    return sql.SQL("{}::{}").format(expression, column_type(after))


def same_column(before: AttributeType, after: AttributeType) -> bool:
    """Whether the column of one type serves for the other too, as that of ``int16`` for ``int8``."""
    if before.is_enum or after.is_enum:
        return before.is_enum and after.is_enum and before.labels == after.labels
    return before.column == after.column and before.is_identity == after.is_identity


def always_fits(before: AttributeType, after: AttributeType) -> bool:
    """Whether every value of one type has its equal in the other, so that no row need be looked at."""
    if after.name == "codec" or before.name == "codec":
        return before.meaning == after.meaning or (after.name == "bytes" and same_column(before, after))
    if before.is_enum and after.is_enum:
        return set(before.labels) <= set(after.labels)
    if before.is_enum:
        longest = max(map(len, before.labels))
        return base_type(after) in _TEXTS and longest <= (text_length(after) or longest)
    old, new = base_type(before), base_type(after)
    if after.name == "int8":
        return before.name in ("int8", "bool")
    if old in _INTEGERS and new in _INTEGERS:
        return _INTEGERS.index(old) <= _INTEGERS.index(new)
    if old in _TEXTS and new in _TEXTS:
        room, longest = text_length(after), text_length(before)
        return room is None or (longest is not None and longest <= room)
    if old == "numeric" and new == "numeric":
        return _digits(before) is not None and _fits_digits(before, after)
    exact = {
        ("boolean", "integer"),
        ("boolean", "smallint"),
        ("boolean", "bigint"),
        ("smallint", "real"),
        ("smallint", "double precision"),
        ("integer", "double precision"),
        ("real", "double precision"),
        ("date", "timestamp without time zone"),
        ("json", "jsonb"),
    }
    return (old, new) in exact or (new == "numeric" and _digits(after) is None and old in _INTEGERS)


def text_length(kind: AttributeType) -> int | None:
    """Return how many characters a text type holds; None where there is no limit or it is no text."""
    match = _MODIFIER.search(kind.column) if base_type(kind) in _TEXTS else None
    return int(match[1]) if match else None


def can_be_compared_back(before: AttributeType, after: AttributeType) -> bool:
    """Whether casting there and back tells that values were rounded."""
    numbers = (*_INTEGERS, *_FLOATS, "numeric", "boolean")
    old, new = base_type(before), base_type(after)
    in_family = any(old in family and new in family for family in (numbers, _MOMENTS))
    return in_family and cast_route(before, after) is not None and cast_route(after, before) is not None


def _digits(kind: AttributeType) -> tuple[int, int] | None:
    match = _MODIFIER.search(kind.column)
    return (int(match[1]), int(match[2] or 0)) if match else None


def _fits_digits(before: AttributeType, after: AttributeType) -> bool:
    old, new = _digits(before), _digits(after)
    if new is None or old is None:
        return new is None
    return new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
