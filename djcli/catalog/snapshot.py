"""The catalog: what the database holds of some schemas, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from djcli.catalog.graph import Graph
from djcli.definition.model import Index, TableId, TableModel
from djcli.names import Tier
from djcli.sql.ddl import EnumId, Existing


@dataclass(frozen=True, slots=True)
class Physical:
    """What the database knows of a table beyond its model: the names to alter it by, and its size.

    Attributes
    ----------
    primary_key
        The name of the primary key's constraint; None for a table that has none.
    foreign_keys
        The names of the constraints, in the order of the model's foreign keys.
    indexes
        Every index that a definition could ask for, with its name: also those that serve foreign keys.
    rows
        The planner's estimate of the number of rows; None before the first ANALYZE.
    """

    primary_key: str | None
    foreign_keys: tuple[str, ...]
    indexes: tuple[tuple[str, Index], ...]
    rows: int | None


@dataclass(frozen=True)
class Catalog:
    """Tables, types and names of some schemas; not to be changed.

    Attributes
    ----------
    requested
        The schemas that were asked for.
    schemas
        Those of them that exist.
    tables
        The tables in the order of their creation: those of the requested schemas and whatever their
        foreign keys reach, job queues and other ``~`` tables included.
    physical
        Names and sizes of the same tables.
    enums
        The enum types of the requested schemas, and those the tables use, with their labels in order.
    relations
        Everything in the requested schemas that shares the tables' namespace, indexes included.
    others
        What is in the requested schemas like a table but is none of ours: views, partitions, foreign tables.
    """

    requested: frozenset[str]
    schemas: frozenset[str]
    tables: Mapping[TableId, TableModel]
    physical: Mapping[TableId, Physical]
    enums: Mapping[EnumId, tuple[str, ...]]
    relations: frozenset[TableId]
    others: Mapping[TableId, str]

    @cached_property
    def graph(self) -> Graph:
        """The foreign keys between all of the tables."""
        return Graph(self.tables.values())

    @cached_property
    def existing(self) -> Existing:
        """What new tables have to agree with."""
        return Existing(self.tables, self.enums, self.relations)

    @cached_property
    def pipeline_tables(self) -> dict[TableId, TableModel]:
        """The tables of the requested schemas that a definition can declare: no ``~`` tables."""
        return {
            table: model
            for table, model in self.tables.items()
            if table.schema in self.requested and model.tier not in (Tier.JOBS, Tier.HIDDEN)
        }
