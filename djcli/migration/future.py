"""The future: rows as they will be, told in SQL over the tables as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from djcli.definition.attribute import Attribute, AttributeType
from djcli.definition.model import TableId
from djcli.migration.target import Target, find_attribute
from djcli.sql.alter import base_type, cast_route, column_type, converted, default_value, same_column

Row = Mapping[str, object]


@dataclass
class Future:
    """What can be said of rows before anything is changed.

    Attributes
    ----------
    target
        What the tables are to be.
    contents
        The encoded contents of lookup tables, which will be there too.
    broken
        Attributes whose values do not cast, so that nothing can be said of them.
    """

    target: Target
    contents: Mapping[TableId, Sequence[Row]]
    broken: set[tuple[TableId, str]] = field(default_factory=set[tuple[TableId, str]])

    def rows(self, table: TableId, names: Sequence[str], *, contents: bool = False) -> sql.Composed | None:
        """Return the SELECT of attributes' values to be, of the rows that are there.

        Parameters
        ----------
        contents
            Whether the rows that a lookup table will get are among them.

        Returns
        -------
        Composed or None
            None where some value cannot be told beforehand. Enums come as text.
        """
        parts: list[sql.Composed] = []
        if self.target.before(table) is not None:
            values = [self.value(table, name) for name in names]
            if any(value is None for value in values):
                return None
            columns = sql.SQL(", ").join(
                sql.SQL("{} AS {}").format(value or sql.NULL, sql.Identifier(name))
                for value, name in zip(values, names, strict=True)
            )
            source = sql.Identifier(*self.target.view.present(table))
            parts.append(sql.SQL("SELECT {} FROM {}").format(columns, source))
        if contents and self.contents.get(table):
            model = self.target.tables[table]
            rows = (
                sql.SQL("({})").format(
                    sql.SQL(", ").join(literal(row.get(name), model[name].type) for name in names)
                )
                for row in self.contents[table]
            )
            parts.append(sql.SQL("VALUES {}").format(sql.SQL(", ").join(rows)))
        if not parts:
            model = self.target.tables[table]
            nulls = [sql.SQL("NULL::{}").format(shown_type(model[name].type)) for name in names]
            return sql.SQL("SELECT {} WHERE false").format(sql.SQL(", ").join(nulls))
        return sql.SQL(" UNION ALL ").join(parts)

    def value(self, table: TableId, name: str) -> sql.Composable | None:
        """Return an attribute's value to be as an expression over the table as it is."""
        before = self.target.before(table)
        after = find_attribute(self.target.tables[table], name)
        if before is None or after is None or (table, name) in self.broken:
            return None
        old = find_attribute(before, name)
        if old is None:
            return None if self.target.replaced_key(table, name) else self._added(after)
        value = self.cast(table, old, after)
        if value is not None and old.nullable and not after.nullable and after.default is not None:
            value = sql.SQL("coalesce({}, {}::{})").format(
                value, default_value(after.default), shown_type(after.type)
            )
        return value

    def cast(self, table: TableId, old: Attribute, new: Attribute) -> sql.Composable | None:
        """Return the value of an attribute that is there, cast to the type that it gets."""
        column = sql.Identifier(self.target.view.column(table, new.name))
        if same_column(old.type, new.type):
            return sql.SQL("{}::text").format(column) if old.type.is_enum else column
        if new.type.is_enum:
            return None if cast_route(old.type, new.type) is None else sql.SQL("{}::text").format(column)
        return converted(column, old.type, new.type)

    def _added(self, attribute: Attribute) -> sql.Composable | None:
        kind = shown_type(attribute.type)
        if attribute.default is not None:
            return sql.SQL("{}::{}").format(default_value(attribute.default), kind)
        return sql.SQL("NULL::{}").format(kind) if attribute.nullable else None


def shown_type(kind: AttributeType) -> sql.Composable:
    """Return the type in which values are compared beforehand: enums, whose type may not exist yet, as text."""
    return sql.SQL("text") if kind.is_enum else column_type(kind)


def literal(value: object, kind: AttributeType) -> sql.Composed:
    """Return an encoded value as a literal of its column's type, an enum's as text."""
    return sql.SQL("({})::{}").format(sql.Literal(value), shown_type(kind))


def all_known(names: Iterable[str], prefix: sql.SQL | None = None) -> sql.Composed:
    """Return the condition that attributes are all not null."""
    front = prefix or sql.SQL("")
    return sql.SQL(" AND ").join(
        sql.SQL("{}{} IS NOT NULL").format(front, sql.Identifier(name)) for name in names
    )


def comparable(kind: AttributeType) -> sql.SQL:
    """Return what to put after a value so that it can be compared: ``json`` has no equality of its own."""
    return sql.SQL("::jsonb") if base_type(kind) == "json" else sql.SQL("")
