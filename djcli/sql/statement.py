"""Statements: SQL text with named parameters, ready for any connection that can run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Protocol, cast

from psycopg import sql

from djcli.algebra.heading import HeadingAttribute
from djcli.definition.model import TableId

Params = Mapping[str, object] | Sequence[object]


@dataclass(frozen=True, eq=False)
class Statement:
    """A SELECT compiled from an expression's structure.

    Attributes
    ----------
    text
        The SQL, with placeholders ``%(p0)s`` for the values of the slots in order.
    columns
        The attributes that it returns.
    """

    text: str
    columns: tuple[HeadingAttribute, ...]


@dataclass(frozen=True, eq=False)
class CopyOut(Statement):
    """A binary COPY of an expression's rows.

    Attributes
    ----------
    settings
        The statement that, inside the same transaction, makes settings of the values of the slots; None
        without values.
    """

    settings: str | None = None


def parameters(values: Sequence[object]) -> dict[str, object]:
    """Name the values of an expression's slots as its statement's placeholders do."""
    return {f"p{index}": value for index, value in enumerate(values)}


def user_sql(text: str) -> sql.SQL:
    """Return the user's own SQL as a fragment, passed through untouched (``%`` included).

    This is the one place where text that is no constant of ours becomes SQL, by design: string
    restrictions and computed attributes are the user's SQL.
    """
    return sql.SQL(cast(LiteralString, text.replace("%", "%%")))


def enclosed(text: str) -> sql.Composed:
    """Return the user's own SQL in parentheses, which a comment at its end must not swallow."""
    return sql.SQL("({}\n)" if "--" in text else "({})").format(user_sql(text))


def type_sql(column_type: str) -> sql.SQL:
    """Return the name of a PostgreSQL type, as the table of types spells it, as a fragment."""
    return sql.SQL(cast(LiteralString, column_type))


def identifier(*names: str) -> sql.Identifier:
    """Return a quoted name as a fragment; ``%`` is doubled, since statements always run with parameters."""
    return sql.Identifier(*(name.replace("%", "%%") for name in names))


def quoted_name(table: TableId) -> str:
    """Return the quoted name of a table with its schema, as SQL has it."""
    return sql.Identifier(*table).as_string()


class Executor(Protocol):
    """Whoever runs statements: a connection."""

    def rows(self, statement: sql.Composable | str, params: Params | None = None) -> list[tuple[Any, ...]]:
        """Run a statement and return all of its rows."""
        ...
