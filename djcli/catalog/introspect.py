"""Introspection: reading any number of schemas from ``pg_catalog`` in one round trip."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from djcli.catalog.lineage import Lineage
from djcli.catalog.snapshot import Catalog, Physical
from djcli.definition.attribute import Attribute, AttributeType, Default
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.definition.types import default_from_catalog, type_from_column
from djcli.sql.ddl import EnumId, declared_indexes
from djcli.sql.statement import Executor, identifier

_LOAD = sql.SQL("""
WITH RECURSIVE asked AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY(%(schemas)s)
), links AS MATERIALIZED (
    SELECT conrelid AS child, confrelid AS parent FROM pg_catalog.pg_constraint
    WHERE contype = 'f' AND conparentid = 0
), below(oid) AS (
    SELECT c.oid FROM pg_catalog.pg_class c JOIN asked ON asked.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
  UNION
    SELECT links.child FROM below JOIN links ON links.parent = below.oid WHERE %(downstream)s
), reached(oid) AS (
    SELECT oid FROM below
  UNION
    SELECT links.parent FROM reached JOIN links ON links.child = reached.oid
), columns AS (
    SELECT a.attrelid, json_agg(json_build_array(
        a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
        pg_catalog.pg_get_expr(d.adbin, d.adrelid), a.attidentity <> '', a.attgenerated <> '', t.description,
        CASE WHEN y.typtype = 'e' THEN y.oid::int8 END) ORDER BY a.attnum) AS list
    FROM reached
    JOIN pg_catalog.pg_attribute a ON a.attrelid = reached.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_description t
        ON t.objoid = a.attrelid AND t.objsubid = a.attnum AND t.classoid = 'pg_catalog.pg_class'::regclass
    GROUP BY a.attrelid
), keys AS (
    SELECT k.conrelid, json_agg(json_build_array(k.conname, k.contype, k.confrelid::int8, k.conkey, k.confkey)
        ORDER BY k.oid) AS list
    FROM reached
    JOIN pg_catalog.pg_constraint k
        ON k.conrelid = reached.oid AND k.contype IN ('p', 'f') AND k.conparentid = 0
    GROUP BY k.conrelid
), indexes AS (
    SELECT i.indrelid, json_agg(json_build_array(x.relname, i.indisunique, i.indkey::int2[], i.indnkeyatts)
        ORDER BY i.indexrelid) AS list
    FROM reached
    JOIN pg_catalog.pg_index i ON i.indrelid = reached.oid
        AND NOT i.indisprimary AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    GROUP BY i.indrelid
)
SELECT 'schema', oid, json_build_array(nspname) FROM asked
UNION ALL
SELECT 'relation', c.oid, json_build_array(asked.nspname, c.relname, c.relkind, c.relispartition)
FROM pg_catalog.pg_class c JOIN asked ON asked.oid = c.relnamespace
UNION ALL
SELECT 'enum', y.oid, json_build_array(n.nspname, y.typname,
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e
        WHERE e.enumtypid = y.oid))
FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
WHERE y.typtype = 'e' AND (n.oid IN (SELECT oid FROM asked) OR y.oid IN (
    SELECT a.atttypid FROM pg_catalog.pg_attribute a JOIN reached ON reached.oid = a.attrelid))
UNION ALL
SELECT 'table', c.oid, json_build_array(n.nspname, c.relname, c.reltuples, t.description,
    columns.list, keys.list, indexes.list)
FROM reached
JOIN pg_catalog.pg_class c ON c.oid = reached.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description t
    ON t.objoid = c.oid AND t.objsubid = 0 AND t.classoid = 'pg_catalog.pg_class'::regclass
LEFT JOIN columns ON columns.attrelid = c.oid
LEFT JOIN keys ON keys.conrelid = c.oid
LEFT JOIN indexes ON indexes.indrelid = c.oid
ORDER BY 2
""")

_LIST_SCHEMAS = sql.SQL("""
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname
""")

_OTHER_KINDS = {"v": "view", "m": "materialized view", "f": "foreign table"}


def load(executor: Executor, schemas: Iterable[str], *, downstream: bool = False) -> Catalog:
    """Read schemas from the database in one statement; a role that may only SELECT can do it.

    Parameters
    ----------
    executor
        The connection.
    schemas
        The names of the schemas; those that do not exist are no error.
    downstream
        Whether to read the tables of other schemas too that depend on these, however far.
    """
    requested = frozenset(schemas)
    found: dict[str, list[tuple[int, list[Any]]]] = {"schema": [], "relation": [], "enum": [], "table": []}
    for kind, oid, values in executor.rows(_LOAD, {"schemas": sorted(requested), "downstream": downstream}):
        found[kind].append((int(oid), values))
    relations = {TableId(schema, name): (kind, part) for _, (schema, name, kind, part) in found["relation"]}
    enums = {
        oid: (EnumId(schema, name), tuple(labels or ())) for oid, (schema, name, labels) in found["enum"]
    }
    tables = _Reader([_RawTable.of(oid, values) for oid, values in found["table"]], enums)
    return Catalog(
        requested=requested,
        schemas=frozenset(values[0] for _, values in found["schema"]),
        tables=tables.models(),
        physical=tables.physical(),
        enums=dict(enums.values()),
        relations=frozenset(relations),
        others={
            name: "partition" if is_partition else _OTHER_KINDS[kind]
            for name, (kind, is_partition) in relations.items()
            if kind in _OTHER_KINDS or (is_partition and kind in ("r", "p"))
        },
    )


def list_schemas(executor: Executor) -> tuple[str, ...]:
    """Return the names of all schemas but the system's own."""
    return tuple(name for (name,) in executor.rows(_LIST_SCHEMAS))


def count_rows(executor: Executor, tables: Iterable[TableId]) -> dict[TableId, int]:
    """Count the rows of any number of tables in one statement, of one snapshot."""
    tables = list(tables)
    if not tables:
        return {}
    counts = [sql.SQL("(SELECT count(*) FROM {})").format(identifier(*table)) for table in tables]
    [(numbers,)] = executor.rows(sql.SQL("SELECT ARRAY[{}]").format(sql.SQL(", ").join(counts)))
    return dict(zip(tables, numbers, strict=True))


@dataclass(frozen=True, slots=True)
class _Column:
    """A row of pg_attribute."""

    name: str
    sql_type: str
    not_null: bool
    default: str | None
    is_identity: bool
    is_generated: bool
    comment: str | None
    enum: int | None

    @property
    def storage(self) -> tuple[str, int | None]:
        """What two columns of one type have in common."""
        return self.sql_type, self.enum


@dataclass(frozen=True, slots=True)
class _RawForeignKey:
    """A foreign key by numbers: the parent's oid, the columns of both."""

    name: str
    parent: int
    own: tuple[int, ...]
    theirs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _RawTable:
    """A table as the statement returns it."""

    oid: int
    id: TableId
    rows: int | None
    comment: str
    columns: dict[int, _Column]
    key_name: str | None
    key: tuple[int, ...]
    foreign_keys: tuple[_RawForeignKey, ...]
    indexes: tuple[tuple[str, Index], ...]

    @classmethod
    def of(cls, oid: int, values: Sequence[Any]) -> _RawTable:
        """Make one of a row's values."""
        schema, name, rows, comment, columns, constraints, indexes = values
        numbered = {number: _Column(*rest) for number, *rest in columns or ()}
        primary = [(name, own) for name, kind, _, own, _ in constraints or () if kind == "p"]
        return cls(
            oid=oid,
            id=TableId(schema, name),
            rows=int(rows) if rows >= 0 else None,
            comment=comment or "",
            columns=numbered,
            key_name=primary[0][0] if primary else None,
            key=tuple(primary[0][1]) if primary else (),
            foreign_keys=tuple(
                _RawForeignKey(name, parent, tuple(own), tuple(theirs))
                for name, kind, parent, own, theirs in constraints or ()
                if kind == "f"
            ),
            indexes=tuple(
                (name, Index(tuple(numbered[n].name for n in numbers[:size]), unique))
                for name, unique, numbers, size in indexes or ()
            ),
        )

    def names(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """Return the names of columns."""
        return tuple(self.columns[number].name for number in numbers)


class _Reader:
    """Makes models of raw tables, which refer to each other by number."""

    def __init__(
        self, tables: Sequence[_RawTable], enums: Mapping[int, tuple[EnumId, tuple[str, ...]]]
    ) -> None:
        self._raw = {table.id: table for table in tables}
        self._by_oid = {table.oid: table for table in tables}
        self._enums = enums
        self._columns = {
            table.id: {column.name: column for column in table.columns.values()} for table in tables
        }
        # keys within the primary key come first, as a definition has them
        self._named_keys = {
            table.id: sorted(
                ((raw.name, self._read_foreign_key(table, raw)) for raw in table.foreign_keys),
                key=lambda named: not named[1].in_key,
            )
            for table in tables
        }
        self._foreign_keys = {
            table: tuple(key for _, key in named) for table, named in self._named_keys.items()
        }
        self._lineage = Lineage({table.id: table.names(table.key) for table in tables}, self._foreign_keys)
        self._types: dict[tuple[TableId, str], tuple[AttributeType, str]] = {}
        self._open: set[tuple[TableId, str]] = set()

    def models(self) -> dict[TableId, TableModel]:
        """Return the models by name, in the order of the tables' creation."""
        return {table.id: self._model(table) for table in self._raw.values()}

    def physical(self) -> dict[TableId, Physical]:
        """Return names and sizes of the same tables."""
        return {
            table.id: Physical(
                primary_key=table.key_name,
                foreign_keys=tuple(name for name, _ in self._named_keys[table.id]),
                indexes=table.indexes,
                rows=table.rows,
            )
            for table in self._raw.values()
        }

    def _model(self, table: _RawTable) -> TableModel:
        key = table.names(table.key)
        rest = (column.name for column in table.columns.values() if column.name not in key)
        attributes = [self._attribute(table.id, name, in_key=name in key) for name in (*key, *rest)]
        model = TableModel(
            id=table.id,
            attributes=tuple(attribute for attribute in attributes if not attribute.name.startswith("_")),
            foreign_keys=self._foreign_keys[table.id],
            indexes=tuple(index for _, index in table.indexes),
            comment=table.comment,
            hidden=tuple(attribute for attribute in attributes if attribute.name.startswith("_")),
        )
        return replace(model, indexes=declared_indexes(model)) if model.indexes else model

    def _attribute(self, table: TableId, name: str, *, in_key: bool) -> Attribute:
        column = self._columns[table][name]
        attribute_type, comment = self._type(table, name)
        return Attribute(
            name=name,
            type=attribute_type,
            in_key=in_key,
            nullable=not column.not_null,
            default=_default(column, attribute_type),
            comment=comment,
            lineage=self._lineage.of(table, name),
            inherited=self._lineage.parent(table, name) is not None,
        )

    def _type(self, table: TableId, name: str) -> tuple[AttributeType, str]:
        """Return type and comment of a column, for an inherited one those of the parent's column."""
        known = self._types.get((table, name))
        if known is not None:
            return known
        column = self._columns[table][name]
        parent = self._lineage.parent(table, name)
        if parent is None or (table, name) in self._open:  # foreign keys may go in a circle
            told = self._own_type(column)
        else:
            self._open.add((table, name))
            told = self._type(*parent)
            theirs = self._columns[parent[0]][parent[1]]
            if column.storage != theirs.storage or told[0].is_identity:
                told = self._own_type(column)[0], told[1]
        self._types[table, name] = told
        return told

    def _own_type(self, column: _Column) -> tuple[AttributeType, str]:
        enum, labels = self._enums.get(column.enum or 0, (None, None))
        return type_from_column(
            column.sql_type if enum is None else '"{}"'.format(enum.name.replace('"', '""')),
            labels,
            column.comment,
            is_identity=column.is_identity,
            enum_schema=enum.schema if enum else None,
        )

    def _read_foreign_key(self, table: _RawTable, raw: _RawForeignKey) -> ForeignKey:
        parent = self._by_oid[raw.parent]
        place = {number: position for position, number in enumerate(parent.key)}
        pairs = sorted(zip(raw.own, raw.theirs, strict=True), key=lambda pair: place.get(pair[1], len(place)))
        columns = tuple((table.columns[own].name, parent.columns[theirs].name) for own, theirs in pairs)
        attributes = tuple(own for own, _ in columns)
        return ForeignKey(
            parent=parent.id,
            columns=columns,
            in_key=set(table.key).issuperset(raw.own),
            nullable=any(not table.columns[own].not_null for own in raw.own),
            unique=any(index.unique and index.attributes == attributes for _, index in table.indexes),
        )


def _default(column: _Column, attribute_type: AttributeType) -> Default | None:
    if column.default is None or column.is_identity:
        return None
    if column.is_generated:
        return Default(column.default, is_expression=True)
    return default_from_catalog(column.default, attribute_type)
