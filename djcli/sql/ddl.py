"""DDL: the statements that create and drop schemas, tables and enum types."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import LiteralString, NamedTuple

from psycopg import sql

from djcli.definition.attribute import Attribute, Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.definition.types import column_comment
from djcli.names import MAX_IDENTIFIER_BYTES, check_identifier
from djcli.sql.statement import type_sql, user_sql

LINEAGE_TABLE = "~lineage"
"""The table of a schema that tells other systems where attributes come from; we read foreign keys."""

_INDEX_COLUMNS_LENGTH = 30
"""The joined names of the columns are cut to this many characters in the name of an index."""


class EnumId(NamedTuple):
    """The full name of an enum type."""

    schema: str
    name: str


@dataclass(frozen=True)
class Existing:
    """What the database holds already, as far as new tables have to agree with it.

    Attributes
    ----------
    tables
        Tables that new ones may refer to: their enum columns say which types the new columns need.
    enums
        The labels of the enum types, in order.
    relations
        Schema and name of everything that shares the tables' namespace: tables, views, indexes, sequences.
    """

    tables: Mapping[TableId, TableModel] = field(default_factory=dict[TableId, TableModel])
    enums: Mapping[EnumId, tuple[str, ...]] = field(default_factory=dict[EnumId, tuple[str, ...]])
    relations: frozenset[TableId] = frozenset()


def create_schema(name: str) -> sql.Composed:
    """Return the statement that creates a schema."""
    check_identifier("schema", name)
    return statement("CREATE SCHEMA IF NOT EXISTS {}", sql.Identifier(name))


def drop_schema(name: str, *, cascade: bool = False) -> sql.Composed:
    """Return the statement that drops a schema, with `cascade` all that is in it too."""
    return statement("DROP SCHEMA {} CASCADE" if cascade else "DROP SCHEMA {}", sql.Identifier(name))


def drop_enum(schema: str, name: str) -> sql.Composed:
    """Return the statement that drops an enum type."""
    return statement("DROP TYPE {}", sql.Identifier(schema, name))


def drop_tables(tables: Iterable[TableId]) -> list[sql.Composed]:
    """Return the one statement that drops tables, which may refer to each other; none for no tables."""
    names = [sql.Identifier(*table) for table in tables]
    return [statement("DROP TABLE {}", sql.SQL(", ").join(names))] if names else []


def create_tables(models: Iterable[TableModel], existing: Existing | None = None) -> list[sql.Composed]:
    """Return the statements that create tables with their enum types, indexes and comments.

    Parameters
    ----------
    models
        The tables, parents before their children.
    existing
        What is in the database: enum types with the same labels are used again, and no name is taken twice.

    Returns
    -------
    list of Composed
        None of them has a parameter, so that they can be sent together; see `script`.

    Raises
    ------
    DataJointError
        If a name is too long for PostgreSQL.
    """
    models = list(models)
    enums = _Enums(models, existing or Existing())
    taken = {*(existing.relations if existing else ()), *(model.id for model in models)}
    statements: list[sql.Composed] = []
    for model in models:
        columns = [_column(model, attribute, enums) for attribute in (*model.attributes, *model.hidden)]
        statements += enums.take_new()
        statements.append(_create_table(model, columns))
        statements += [_create_index(model.id, index, taken) for index in physical_indexes(model)]
        statements += _comments(model)
    return statements


def physical_indexes(model: TableModel) -> tuple[Index, ...]:
    """Return all indexes of a table but its primary key's: unique foreign keys, declared ones, foreign keys.

    An index that merely serves a foreign key is left out if its columns are a left prefix, in order, of the
    primary key, of a declared index or of a longer foreign key's index.
    """
    found = dict.fromkeys(
        [Index(key.attributes, unique=True) for key in model.foreign_keys if key.unique] + [*model.indexes]
    )
    covering = [primary_key(model), *(index.attributes for index in found)]
    serving = [key.attributes for key in model.foreign_keys if not key.unique]
    for attributes in sorted(serving, key=len, reverse=True):
        if not any(columns[: len(attributes)] == attributes for columns in covering):
            covering.append(attributes)
            found[Index(attributes)] = None
    return tuple(found)


def declared_indexes(model: TableModel) -> tuple[Index, ...]:
    """Return those of a model's indexes that do not merely do what its foreign keys ask for anyway."""
    unique_keys = {key.attributes for key in model.foreign_keys if key.unique}
    serving = {key.attributes for key in model.foreign_keys}
    declared: list[Index] = []
    for index in dict.fromkeys(model.indexes):
        if index.unique and index.attributes in unique_keys:
            continue
        if not index.unique and index.attributes in serving:
            others = tuple(other for other in model.indexes if other != index)
            if index in physical_indexes(replace(model, indexes=others)):
                continue
        declared.append(index)
    return tuple(declared)


def primary_key(model: TableModel) -> tuple[str, ...]:
    """Return the columns of the primary key, which for a singleton table is a hidden one."""
    return model.primary_key or tuple(attribute.name for attribute in model.hidden if attribute.in_key)


def index_name(table: TableId, index: Index, taken: Container[TableId] = ()) -> str:
    """Return the name for an index: with a short hash where the plain one is among the `taken` names."""
    joined = "_".join(index.attributes)
    plain = f"idx_{table.name}_{joined[:_INDEX_COLUMNS_LENGTH]}"
    name = _cut(plain, MAX_IDENTIFIER_BYTES)
    salt = 0
    while TableId(table.schema, name) in taken:
        told = "\0".join((table.name, *index.attributes, str(index.unique), str(salt)))
        suffix = "_" + sha256(told.encode()).hexdigest()[:8]
        name = _cut(plain, MAX_IDENTIFIER_BYTES - len(suffix)) + suffix
        salt += 1
    return name


def lineage_statements(models: Iterable[TableModel]) -> list[sql.Composed]:
    """Return the statements that keep the lineage table of each model's schema, made where it is missing.

    The rows of the models' tables are replaced; those of other tables stay.
    """
    by_schema: dict[str, list[TableModel]] = {}
    for model in models:
        by_schema.setdefault(model.id.schema, []).append(model)
    statements: list[sql.Composed] = []
    for schema, members in by_schema.items():
        statements.append(_create_lineage_table(schema))
        statements += forget_lineage(model.id for model in members)
        rows = [row for model in members for row in lineage_rows(model)]
        if rows:
            statements.append(_insert_lineage(schema, rows))
    return statements


def lineage_rows(model: TableModel) -> Iterator[tuple[str, str, str]]:
    """Yield the rows of the lineage table for one table: its name, the attribute's, and the lineage."""
    for attribute in (*model.attributes, *model.hidden):
        lineage = attribute.lineage
        if lineage is None and attribute.in_key:
            lineage = f"{model.id.schema}.{model.id.name}.{attribute.name}"
        if lineage is not None:
            yield model.id.name, attribute.name, lineage


def forget_lineage(tables: Iterable[TableId]) -> list[sql.Composed]:
    """Return the statements that delete tables' rows from the lineage tables, which must exist."""
    by_schema: dict[str, list[sql.Literal]] = {}
    for table in tables:
        by_schema.setdefault(table.schema, []).append(sql.Literal(table.name))
    template = "DELETE FROM {} WHERE table_name IN ({})"
    return [
        statement(template, sql.Identifier(schema, LINEAGE_TABLE), sql.SQL(", ").join(names))
        for schema, names in by_schema.items()
    ]


def statement(template: LiteralString, *parts: sql.Composable) -> sql.Composed:
    """Compose a statement, with any ``%`` doubled: executors always run statements with parameters."""
    return sql.Composed([user_sql(sql.SQL(template).format(*parts).as_string(None))])


def script(statements: Sequence[sql.Composable]) -> sql.Composed:
    """Join statements into one text, which a connection can run in one round trip."""
    return sql.SQL(";\n").join(statements)


def statement_text(composed: sql.Composable) -> str:
    """Return a statement as text to show or to run without parameters, where a ``%`` is just that."""
    return composed.as_string(None).replace("%%", "%")


class _Enums:
    """Which enum type each new column has; remembers those that have to be created."""

    def __init__(self, models: Sequence[TableModel], existing: Existing) -> None:
        self._models = {**existing.tables, **{model.id: model for model in models}}
        self._known = dict(existing.enums)
        self._in_database = existing.tables.keys() - {model.id for model in models}
        self._new: list[EnumId] = []

    def find(self, table: TableId, attribute: Attribute) -> EnumId:
        """Return the enum type of a column: the parent's for a foreign key, else one of the own schema."""
        return self._find(table, attribute, seen=set())

    def _find(self, table: TableId, attribute: Attribute, seen: set[tuple[TableId, str]]) -> EnumId:
        declared = EnumId(attribute.type.enum_schema or table.schema, attribute.type.column)
        if table in self._in_database:
            return declared
        seen.add((table, attribute.name))
        for key in self._models[table].foreign_keys:
            theirs = dict(key.columns).get(attribute.name)
            parent = self._models.get(key.parent)
            if theirs is not None and (key.parent, theirs) not in seen:
                if parent is not None and theirs in parent:
                    return self._find(key.parent, parent[theirs], seen)
                return declared
        return self._own(table.schema, attribute)

    def _own(self, schema: str, attribute: Attribute) -> EnumId:
        """Return the type of a schema that has the labels: one it has by any name, else a new one."""
        labels = attribute.type.labels
        wanted = EnumId(schema, attribute.type.column)
        if self._known.get(wanted) == labels:
            return wanted
        for known, its_labels in self._known.items():
            if known.schema == schema and its_labels == labels:
                return known
        number = 2
        while wanted in self._known:
            wanted = EnumId(schema, f"{attribute.type.column}_{number}")
            number += 1
        self._known[wanted] = labels
        self._new.append(wanted)
        return wanted

    def take_new(self) -> list[sql.Composed]:
        """Return the statements that create the types found missing since the last call."""
        new, self._new = self._new, []
        return [create_enum(enum, self._known[enum]) for enum in new]


def create_enum(enum: EnumId, labels: Iterable[str]) -> sql.Composed:
    """Return the statement that creates an enum type."""
    literals = sql.SQL(", ").join(sql.Literal(label) for label in labels)
    return statement("CREATE TYPE {} AS ENUM ({})", sql.Identifier(*enum), literals)


def _create_table(model: TableModel, columns: list[sql.Composed]) -> sql.Composed:
    check_identifier("schema", model.id.schema)
    check_identifier("table", model.id.name)
    lines = [*columns, sql.SQL("PRIMARY KEY ({})").format(_names(primary_key(model)))]
    lines += map(foreign_key_clause, model.foreign_keys)
    body = sql.SQL(",\n  ").join(lines)
    return statement("CREATE TABLE {} (\n  {}\n)", sql.Identifier(*model.id), body)


def foreign_key_clause(key: ForeignKey) -> sql.Composed:
    """Return a foreign key as a constraint, which PostgreSQL names."""
    return sql.SQL("FOREIGN KEY ({}) REFERENCES {} ({}) ON UPDATE CASCADE ON DELETE RESTRICT").format(
        _names(key.attributes), sql.Identifier(*key.parent), _names(theirs for _, theirs in key.columns)
    )


def _column(model: TableModel, attribute: Attribute, enums: _Enums) -> sql.Composed:
    check_identifier("attribute", attribute.name)
    kind: sql.Composable
    kind = (
        sql.Identifier(*enums.find(model.id, attribute))
        if attribute.type.is_enum
        else type_sql(attribute.type.column)
    )
    words: list[sql.Composable] = [sql.Identifier(attribute.name), kind]
    if not attribute.nullable:
        words.append(sql.SQL("NOT NULL"))
    return sql.SQL(" ").join([*words, *filling(attribute)])


def filling(attribute: Attribute) -> list[sql.Composable]:
    """Return what a column's definition says of the value of a row that gives none."""
    if attribute.type.is_identity:
        return [sql.SQL("GENERATED BY DEFAULT AS IDENTITY")]
    if attribute.default is not None:
        return [default_clause(attribute.default)]
    return [sql.SQL("DEFAULT NULL")] if attribute.nullable and not attribute.inherited else []


def default_clause(default: Default) -> sql.Composed:
    """Return ``DEFAULT 'literal'`` or ``DEFAULT expression``."""
    value = type_sql(default.value) if default.is_expression else sql.Literal(default.value)
    return sql.SQL("DEFAULT {}").format(value)


def _create_index(table: TableId, index: Index, taken: set[TableId]) -> sql.Composed:
    name = index_name(table, index, taken)
    taken.add(TableId(table.schema, name))
    template = "CREATE UNIQUE INDEX {} ON {} ({})" if index.unique else "CREATE INDEX {} ON {} ({})"
    return statement(template, sql.Identifier(name), sql.Identifier(*table), _names(index.attributes))


def _comments(model: TableModel) -> Iterator[sql.Composed]:
    if model.comment:
        yield table_comment(model.id, model.comment)
    for attribute in (*model.attributes, *model.hidden):
        comment = column_comment(attribute)
        if comment:
            column = sql.Identifier(*model.id, attribute.name)
            yield statement("COMMENT ON COLUMN {} IS {}", column, sql.Literal(comment))


def table_comment(table: TableId, comment: str) -> sql.Composed:
    """Return the statement that sets the comment of a table."""
    return statement("COMMENT ON TABLE {} IS {}", sql.Identifier(*table), sql.Literal(comment))


def _create_lineage_table(schema: str) -> sql.Composed:
    return statement(
        "CREATE TABLE IF NOT EXISTS {} (table_name varchar(64) NOT NULL, "
        "attribute_name varchar(64) NOT NULL, lineage varchar(255) NOT NULL, "
        "PRIMARY KEY (table_name, attribute_name))",
        sql.Identifier(schema, LINEAGE_TABLE),
    )


def _insert_lineage(schema: str, rows: Iterable[tuple[str, str, str]]) -> sql.Composed:
    values = (sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, row))) for row in rows)
    return statement(
        "INSERT INTO {} (table_name, attribute_name, lineage) VALUES {} "
        "ON CONFLICT (table_name, attribute_name) DO UPDATE SET lineage = EXCLUDED.lineage",
        sql.Identifier(schema, LINEAGE_TABLE),
        sql.SQL(", ").join(values),
    )


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _cut(text: str, size: int) -> str:
    """Return text cut to a number of bytes, as PostgreSQL does: at a whole character."""
    return text.encode()[:size].decode(errors="ignore")
