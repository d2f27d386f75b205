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
from djcli.sql import ddl
from djcli.sql.ddl import EnumId
from djcli.tables.consent import confirm, must_ask
from djcli.tables.instance import Instance

logger = logging.getLogger("djcli")

PART_INTEGRITY = ("enforce", "ignore")


@dataclass(frozen=True, slots=True)
class DropPlan:
    """What a drop takes away.

    Attributes
    ----------
    rows
        The tables that go, children first, with their numbers of rows.
    asked
        Those of them that were asked for; the others depend on these.
    strays
        The parts among them whose master stays.
    """

    rows: dict[TableId, int]
    asked: frozenset[TableId]
    strays: tuple[TableId, ...] = ()

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
    strays = tuple(table for table in order if (graph.master(table) or table) not in gone)
    return DropPlan({table: counts[table] for table in order}, frozenset(tables), strays)


def drop_tables(instance: Instance, tables: Sequence[TableId]) -> None:
    """Drop exactly these tables, in one transaction.

    Their enum types go with them if nothing else uses these, and so do their job queues.

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
        catalog = load(connection, schemas, downstream=True)
        _check_dependents(catalog, tables)
        queues = [queue for queue in map(_job_queue, tables) if queue in catalog.tables]
        statements: list[sql.Composable] = [*ddl.drop_tables([*tables, *queues])]
        with_lineage = [t for t in tables if TableId(t.schema, ddl.LINEAGE_TABLE) in catalog.relations]
        statements += ddl.forget_lineage(with_lineage)
        statements += [ddl.drop_enum(*enum) for enum in _orphaned_enums(catalog, [*tables, *queues])]
        connection.execute(ddl.script(statements))
    instance.forget()


def _check_dependents(catalog: Catalog, tables: Sequence[TableId]) -> None:
    """Refuse to drop tables that others depend on."""
    for table in tables:
        edges = catalog.graph.children(table) if table in catalog.tables else ()
        others = sorted({str(edge.child) for edge in edges} - {str(other) for other in tables})
        if others:
            raise DataJointError(
                f"{table} was not dropped: {', '.join(others)} depend on it; drop() takes them along"
            )


def _job_queue(table: TableId) -> TableId:
    return TableId(table.schema, f"~~{table.name.lstrip('_')}")


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
    if part_integrity not in PART_INTEGRITY:
        raise DataJointError(
            f"part_integrity={part_integrity!r}: it must be one of {', '.join(map(repr, PART_INTEGRITY))}"
        )
    plan = plan_drop(instance, [table])
    if not plan.rows:
        logger.info("%s is not declared; nothing to drop", table)
        return
    if plan.strays and part_integrity == "enforce":
        names = ", ".join(map(str, plan.strays))
        raise DataJointError(
            f"nothing was dropped: {names} {'are parts' if len(plan.strays) > 1 else 'is a part'} and would go "
            "while the master stays; drop the master, or pass part_integrity='ignore'"
        )
    if must_ask(prompt):
        lines = [f"{rows:>8} rows of {name}" for name, rows in plan.rows.items()]
        if not confirm("about to drop:\n" + "\n".join(lines), "drop these tables?"):
            logger.info("dropped nothing")
            return
    drop_tables(instance, list(plan.rows))
