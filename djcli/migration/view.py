"""`View`: the database as it is, under the names that its tables and columns are going to have."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from djcli.catalog.snapshot import Catalog, Physical
from djcli.definition.model import ForeignKey, Index, TableId, TableModel
from djcli.names import Tier, split_table_name

ColumnNames = Mapping[TableId, Mapping[str, str]]
"""For tables, by the names they get: the present names of columns, with those that they get."""


@dataclass(frozen=True)
class View:
    """Tables under the names that they get; what is asked of the database goes by the present ones.

    Attributes
    ----------
    catalog
        What the database has.
    tables, physical
        The same, renamed.
    present_tables
        The present name of each table that is renamed.
    present_columns
        For each table the present names of those attributes that are renamed.
    """

    catalog: Catalog
    tables: Mapping[TableId, TableModel]
    physical: Mapping[TableId, Physical]
    present_tables: Mapping[TableId, TableId] = field(default_factory=dict[TableId, TableId])
    present_columns: ColumnNames = field(default_factory=dict[TableId, Mapping[str, str]])

    @classmethod
    def of(cls, catalog: Catalog) -> View:
        """Return the view in which nothing is renamed."""
        return cls(catalog, catalog.tables, catalog.physical)

    def present(self, table: TableId) -> TableId:
        """Return the name that a table has now."""
        return self.present_tables.get(table, table)

    def column(self, table: TableId, attribute: str) -> str:
        """Return the name that the column of an attribute has now."""
        return self.present_columns.get(table, {}).get(attribute, attribute)

    def renamed(self, tables: Mapping[TableId, TableId], columns: ColumnNames) -> View:
        """Return the view in which tables and columns have other names.

        Parameters
        ----------
        tables
            New names by present ones.
        columns
            New names of columns by present ones, for tables by their new names.
        """
        if not tables and not columns:
            return self
        models = {tables.get(table, table): model for table, model in self.tables.items()}
        return replace(
            self,
            tables={table: _model(table, model, tables, columns) for table, model in models.items()},
            physical={
                tables.get(table, table): _physical(found, columns.get(tables.get(table, table), {}))
                for table, found in self.physical.items()
            },
            present_tables={new: old for old, new in tables.items()},
            present_columns={
                table: {new: old for old, new in names.items()} for table, names in columns.items()
            },
        )

    def without(self, gone: Collection[TableId]) -> View:
        """Return the view in which tables are not there."""
        return replace(
            self, tables={table: model for table, model in self.tables.items() if table not in gone}
        )

    def children(self, table: TableId) -> list[tuple[TableModel, ForeignKey]]:
        """Return the tables that refer to one, each with its foreign key."""
        return [(m, key) for m in self.tables.values() for key in m.foreign_keys if key.parent == table]

    def jobs_table(self, table: TableId) -> TableId | None:
        """Return the present name of a table's job queue, if there is one."""
        name = jobs_name(self.present(table))
        return name if name in self.catalog.tables else None


def jobs_name(table: TableId) -> TableId:
    """Return the name of a computed table's job queue."""
    return TableId(table.schema, Tier.JOBS.value + table.name.lstrip("_"))


def root_tier(table: TableId) -> Tier:
    """Return the tier of a table; of a part that of its master."""
    parts = split_table_name(table.name)
    if parts is None:
        return Tier.MANUAL
    return root_tier(TableId(table.schema, parts[2])) if parts[2] else parts[0]


def master_of(table: TableId) -> TableId:
    """Return the master of a part; any other table itself."""
    parts = split_table_name(table.name)
    return TableId(table.schema, parts[2]) if parts is not None and parts[2] else table


def _model(
    table: TableId, model: TableModel, tables: Mapping[TableId, TableId], columns: ColumnNames
) -> TableModel:
    own = columns.get(table, {})

    def key(old: ForeignKey) -> ForeignKey:
        parent = tables.get(old.parent, old.parent)
        theirs = columns.get(parent, {})
        pairs = tuple((own.get(mine, mine), theirs.get(other, other)) for mine, other in old.columns)
        return replace(old, parent=parent, columns=pairs)

    return replace(
        model,
        id=table,
        attributes=tuple(replace(each, name=own.get(each.name, each.name)) for each in model.attributes),
        foreign_keys=tuple(map(key, model.foreign_keys)),
        indexes=tuple(_index(index, own) for index in model.indexes),
    )


def _physical(found: Physical, columns: Mapping[str, str]) -> Physical:
    return replace(found, indexes=tuple((name, _index(index, columns)) for name, index in found.indexes))


def _index(index: Index, columns: Mapping[str, str]) -> Index:
    return replace(index, attributes=tuple(columns.get(name, name) for name in index.attributes))
