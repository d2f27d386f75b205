"""How a statement refers to its values: as parameters, or, where SQL takes none, as settings."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from djcli.algebra.heading import COMPUTED
from djcli.definition.types import AttributeType
from djcli.sql.comparison import comparison_type


class Marks:
    """Values as parameters, ``%(p0)s``, cast to the types that their comparisons need."""

    def value(self, slot: int, kind: AttributeType) -> sql.Composable:
        """Return the value of a slot, to be compared with an attribute of this type."""
        mark = sql.Placeholder(f"p{slot}")
        return mark if kind is COMPUTED else sql.SQL("{}::{}").format(mark, comparison_type(kind))

    def cast(self, slot: int, column: sql.Composable) -> sql.Composable:
        """Return the value of a slot as a PostgreSQL type."""
        return sql.SQL("{}::{}").format(sql.Placeholder(f"p{slot}"), column)

    def number(self, name: str) -> sql.Composable:
        """Return a value as LIMIT and OFFSET take it: a whole number, or null for none."""
        return sql.Placeholder(name)

    def among(
        self, columns: Sequence[sql.Composable], slot: int, kinds: Sequence[AttributeType]
    ) -> sql.Composable:
        """Return the condition that columns have values of the lists that begin at a slot."""
        lists = [self.list(slot + i, kind) for i, kind in enumerate(kinds)]
        if len(columns) == 1:
            return sql.SQL("{} = ANY ({})").format(columns[0], lists[0])
        comma = sql.SQL(", ")
        return sql.SQL("({}) IN (SELECT * FROM unnest({}))").format(comma.join(columns), comma.join(lists))

    def none_of(
        self, columns: Sequence[sql.Composable], slot: int, kinds: Sequence[AttributeType], alias: str
    ) -> sql.Composable:
        """Return the condition that columns, which are never null, have no values of the lists.

        ``NOT (… IN …)`` would compare every row with every item of a long list.
        """
        comma = sql.SQL(", ")
        names = [sql.Identifier(f"c{number}") for number in range(1, len(columns) + 1)]
        equal = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.SQL(".").join((sql.Identifier(alias), name)), column)
            for name, column in zip(names, columns, strict=True)
        )
        return sql.SQL("NOT EXISTS (SELECT 1 FROM unnest({}) AS {} ({}) WHERE {})").format(
            comma.join(self.list(slot + i, kind) for i, kind in enumerate(kinds)),
            sql.Identifier(alias),
            comma.join(names),
            equal,
        )

    def list(self, slot: int, kind: AttributeType) -> sql.Composable:
        """Return the list of a slot, whose items are compared with an attribute of this type."""
        return self.cast(slot, sql.SQL("{}[]").format(comparison_type(kind)))


class NoSettingError(Exception):
    """A value has no setting, because its type is not known."""


class Settings(Marks):
    """Values as settings of the transaction, which their own statement, with parameters, makes first.

    COPY takes no parameters. Each setting is read once in a statement, whatever the number of rows.
    """

    def __init__(self) -> None:
        self.texts: dict[str, sql.Composable] = {}
        """How each setting's text is made of the parameter that it stands for, by the parameter's name."""

    @property
    def statement(self) -> sql.Composed | None:
        """The statement that makes the settings; None where there are none."""
        if not self.texts:
            return None
        # Long lists need not come back.
        calls = [
            sql.SQL("set_config({}, {}, true) IS NULL").format(_setting(name), text)
            for name, text in self.texts.items()
        ]
        return sql.SQL("SELECT ") + sql.SQL(", ").join(calls)

    def value(self, slot: int, kind: AttributeType) -> sql.Composable:
        """Return the value of a slot, read back as the type of the comparison.

        Raises
        ------
        NoSettingError
            For an attribute that the user's own SQL computes.
        """
        if kind is COMPUTED:
            raise NoSettingError
        return self.cast(slot, comparison_type(kind))

    def cast(self, slot: int, column: sql.Composable) -> sql.Composable:
        """Return the value of a slot as a PostgreSQL type."""
        return sql.SQL("(SELECT {})").format(self._read(slot, column))

    def number(self, name: str) -> sql.Composable:
        """Return a value as LIMIT and OFFSET take it."""
        mark = sql.Placeholder(name)
        self.texts[name] = sql.SQL("coalesce({}::bigint::text, '')").format(mark)
        return sql.SQL("(SELECT nullif(current_setting({}), '')::bigint)").format(_setting(name))

    def among(
        self, columns: Sequence[sql.Composable], slot: int, kinds: Sequence[AttributeType]
    ) -> sql.Composable:
        """Return the condition that columns have values of the lists that begin at a slot."""
        comma = sql.SQL(", ")
        lists = comma.join(self.list(slot + i, kind) for i, kind in enumerate(kinds))
        return sql.SQL("({}) IN (SELECT * FROM unnest({}))").format(comma.join(columns), lists)

    def list(self, slot: int, kind: AttributeType) -> sql.Composable:
        """Return the list of a slot."""
        return self._read(slot, sql.SQL("{}[]").format(comparison_type(kind)))

    def _read(self, slot: int, column: sql.Composable) -> sql.Composable:
        name = f"p{slot}"
        self.texts[name] = sql.SQL("({}::{})::text").format(sql.Placeholder(name), column)
        return sql.SQL("current_setting({})::{}").format(_setting(name), column)


def _setting(name: str) -> sql.Composable:
    return sql.Literal(f"djcli.{name}")
