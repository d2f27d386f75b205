"""Deleting rows together with all that depend on them, worked out in SQL."""

from __future__ import annotations

import logging
from typing import Any

from djcli.algebra import nodes
from djcli.algebra.conditions import Any as AnyOf
from djcli.algebra.conditions import Matches
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Values
from djcli.catalog.introspect import load
from djcli.definition.model import ForeignKey, TableId
from djcli.errors import DataJointError
from djcli.names import display_name
from djcli.sql.compile import compile_counts, compile_delete
from djcli.sql.statement import parameters
from djcli.tables.consent import confirm, must_ask

logger = logging.getLogger("djcli")

PART_INTEGRITY = ("enforce", "ignore", "cascade")

Affected = dict[TableId, tuple[Node, Values]]
"""For each table, parents first, the rows that go: a restricted table and its values."""


def delete_rows(table: Any) -> int:
    """Delete the rows of a restricted table alone; refused by the database while others depend on them."""
    check_restriction(table)
    statement = compile_delete(table.node)
    count: int = table.connection.execute(statement.text, parameters(table.values))
    return count


def check_restriction(table: Any) -> None:
    """Refuse a restriction that has no effect, because it would delete everything.

    Raises
    ------
    DataJointError
        Naming the keys that are no attributes.
    """
    if table.unmatched:
        raise DataJointError(
            f"nothing was deleted: the restriction by {', '.join(table.unmatched)} matches no attribute of "
            f"{table.described()} (they are {', '.join(table.heading.names)})"
        )


def delete(table: Any, *, prompt: bool | None, part_integrity: str, transaction: bool) -> int:
    """Delete rows and all that depend on them; see `Table.delete`."""
    if part_integrity not in PART_INTEGRITY:
        raise DataJointError(
            f"part_integrity={part_integrity!r}: it must be one of {', '.join(map(repr, PART_INTEGRITY))}"
        )
    check_restriction(table)
    connection = table.connection
    if connection.in_transaction and transaction:
        transaction = False
    affected = cascade(table)
    counts = count(connection, affected)
    _check_parts(affected, counts, part_integrity)
    total = counts[table.id]
    if must_ask(prompt):
        if not any(counts.values()):
            logger.info("nothing to delete")
            return 0
        lines = [f"{number:>8} rows of {name}" for name, number in counts.items() if number]
        if not confirm("about to delete:\n" + "\n".join(lines), "delete these rows?"):
            logger.info("deleted nothing")
            return 0
    with connection.transaction:
        _freeze(table, affected)
        deleted: dict[TableId, int] = {}
        for name in reversed(affected):
            node, values = affected[name]
            deleted[name] = connection.execute(compile_delete(node).text, parameters(values))
        if must_ask(prompt) and deleted != counts:
            raise DataJointError("the rows changed while you were asked; nothing was deleted, try again")
    for name, number in deleted.items():
        if number:
            logger.info("deleted %d rows of %s", number, name)
    return total


def cascade(table: Any) -> Affected:
    """Work out which rows of which tables depend on the rows of a restricted table."""
    catalog = load(table.connection, [table.id.schema], downstream=True)
    graph = catalog.graph
    affected: Affected = {table.id: (table.node, table.values)}
    for name in graph.descendants(table.id)[1:]:
        child = nodes.base(catalog.tables[name])
        conditions: list[Matches] = []
        values: Values = ()
        for edge in graph.parents(name):
            if edge.parent in affected and edge.parent != name:
                parent, parent_values = affected[edge.parent]
                conditions.append(_reaches(parent, edge.foreign_key))
                values += parent_values
        if conditions:
            condition = conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))
            affected[name] = (nodes.restrict(child, condition), values)
    return affected


def _reaches(parent: Node, key: ForeignKey) -> Matches:
    columns = tuple(nodes.Column(own, theirs) for own, theirs in key.columns)
    return Matches(nodes.project(parent, columns), key.attributes)


def count(connection: Any, affected: Affected) -> dict[TableId, int]:
    """Count the affected rows of every table, in one statement."""
    statement = compile_counts(tuple(node for node, _ in affected.values()))
    values = tuple(value for _, values in affected.values() for value in values)
    (row,) = connection.rows(statement.text, parameters(values))
    return dict(zip(affected, map(int, row), strict=True))


def _check_parts(affected: Affected, counts: dict[TableId, int], part_integrity: str) -> None:
    """Refuse to delete rows of a part whose master is not deleted from."""
    if part_integrity != "enforce":
        return
    model_of = {name: name for name in affected}
    for name in affected:
        master_name = name.name.rpartition("__")[0]
        is_part = display_name(name.name).count(".") == 1
        if is_part and counts[name] and TableId(name.schema, master_name) not in model_of:
            raise DataJointError(
                f"this would delete rows of the part {name} while their master stays; delete from "
                f"{display_name(master_name)} instead, or pass part_integrity='ignore'"
            )


def _freeze(table: Any, affected: Affected) -> None:
    """Put the root's keys into a temporary table if its restriction reads tables that lose rows too.

    Otherwise deleting from those would change what the restriction means.
    """
    read_too = (table.node.tables - {table.id}) & affected.keys()
    if not read_too:
        return
    raise DataJointError(
        f"the restriction reads {', '.join(map(str, read_too))}, which loses rows too; restrict by the keys "
        "instead: table & restricted.keys()"
    )
