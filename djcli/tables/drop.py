"""Dropping tables together with all that depend on them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from djcli.catalog.introspect import count_rows, load
from djcli.catalog.snapshot import Catalog
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.names import Tier, display_name, split_table_name
from djcli.sql import ddl
from djcli.sql.ddl import EnumId
from djcli.tables.consent import confirm, must_ask
from djcli.tables.instance import Instance

logger = logging.getLogger("djcli")


@dataclass(frozen=True, slots=True)
class DropPlan:
    """What a drop takes away.

    Attributes
    ----------
    rows
        The tables that go, children first, with their numbers of rows.
    asked
        Those of them that were asked for; the others depend on these.
    """

    rows: dict[TableId, int]
    asked: frozenset[TableId]

    @property
    def dependent(self) -> list[TableId]:
        """The tables that go because they depend on others."""
        return [table for table in self.rows if table not in self.asked]


def plan_drop(instance: Instance, tables: Sequence[TableId]) -> DropPlan:
    """Find out what goes when tables are dropped: they, their parts, and all that depend on them."""
    catalog = load(instance.connection, sorted({table.schema for table in tables}), downstream=True)
    graph = catalog.graph
    gone: dict[TableId, None] = {}
    for table in tables:
        if table in catalog.tables:
            gone |= dict.fromkeys(graph.descendants(table))
    order = list(reversed(graph.topological_order(gone)))
    counts = count_rows(instance.connection, order) if order else {}
    return DropPlan({table: counts[table] for table in order}, frozenset(tables))


def drop_tables(instance: Instance, tables: Sequence[TableId]) -> None:
    """Drop exactly these tables, with their enum types that nothing else uses, in one transaction.

    Raises
    ------
    DataJointError
        If others depend on them.
    """
    if not tables:
        return
    connection = instance.connection
    with connection.transaction:
        schemas = sorted({table.schema for table in tables})
        catalog = load(connection, schemas)
        statements: list[sql.Composable] = [*ddl.drop_tables(tables)]
        with_lineage = [t for t in tables if TableId(t.schema, ddl.LINEAGE_TABLE) in catalog.relations]
        statements += ddl.forget_lineage(with_lineage)
        connection.execute(ddl.script(statements))
        for enum in _orphaned_enums(catalog, tables):
            connection.execute(ddl.drop_enum(*enum))
    instance.forget()


def _orphaned_enums(catalog: Catalog, dropped: Sequence[TableId]) -> list[EnumId]:
    """Return the enum types of the schemas that only the dropped tables used."""
    used: dict[bool, set[EnumId]] = {True: set(), False: set()}
    for table, model in catalog.tables.items():
        used[table in dropped] |= {
            EnumId(a.type.enum_schema or table.schema, a.type.column) for a in model if a.type.is_enum
        }
    return sorted(used[True] - used[False])


def drop(instance: Instance, table: TableId, *, prompt: bool | None, part_integrity: str) -> None:
    """Drop a table and all that depend on it; see `Table.drop`."""
    parts = split_table_name(table.name)
    if part_integrity == "enforce" and parts is not None and parts[0] is Tier.PART:
        raise DataJointError(
            f"{table} is a part: drop its master {display_name(parts[2] or '')}, "
            "or pass part_integrity='ignore'"
        )
    plan = plan_drop(instance, [table])
    if not plan.rows:
        logger.info("%s is not declared; nothing to drop", table)
        return
    if must_ask(prompt):
        lines = [f"{rows:>8} rows of {name}" for name, rows in plan.rows.items()]
        if not confirm("about to drop:\n" + "\n".join(lines), "drop these tables?"):
            logger.info("dropped nothing")
            return
    drop_tables(instance, list(plan.rows))
