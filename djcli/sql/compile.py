"""The compiler: from the structure of an expression to the text of the statement that asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from psycopg import sql

from djcli.algebra import nodes as n
from djcli.algebra.relation import Node
from djcli.errors import DataJointError
from djcli.sql.comparison import comparison_type
from djcli.sql.lower import Lowering
from djcli.sql.select import order_by
from djcli.sql.statement import Statement, identifier

__all__ = [
    "comparison_type",
    "compile_count",
    "compile_counts",
    "compile_delete",
    "compile_existences",
    "compile_exists",
    "compile_select",
]


@lru_cache(maxsize=4096)
def compile_select(
    node: Node,
    names: tuple[str, ...] | None = None,
    order: tuple[n.Order, ...] = (),
    *,
    limited: bool = False,
) -> Statement:
    """Compile an expression to the statement that fetches it.

    Parameters
    ----------
    node
        The structure.
    names
        The attributes to fetch, in order; all of them by default.
    order
        The ordering.
    limited
        Whether the statement ends in ``LIMIT %(limit)s OFFSET %(offset)s``.
    """
    run = Lowering()
    select = run.node(node, 0)
    if (order or limited) and (select.distinct or select.tail is not None):
        select = run.wrap(select)
    tail = order_by(select, order)
    if limited:
        tail += sql.SQL(" LIMIT {} OFFSET {}").format(sql.Placeholder("limit"), sql.Placeholder("offset"))
    if select.distinct and names is not None:
        select = run.wrap(select)
    heading = node.heading
    names = heading.names if names is None else names
    return Statement(run.finish(select.render(names, tail=tail)), tuple(heading[name] for name in names))


@lru_cache(maxsize=1024)
def compile_count(node: Node) -> Statement:
    """Compile the question how many rows an expression has."""
    run = Lowering()
    return Statement(run.finish(sql.SQL("SELECT count(*) FROM ") + _from(run, node, 0)), ())


@lru_cache(maxsize=1024)
def compile_exists(node: Node) -> Statement:
    """Compile the question whether an expression has any row."""
    run = Lowering()
    inner = sql.SQL("SELECT 1 FROM ") + _from(run, node, 0)
    return Statement(run.finish(sql.SQL("SELECT EXISTS ({})").format(inner)), ())


@lru_cache(maxsize=256)
def compile_counts(nodes: tuple[Node, ...]) -> Statement:
    """Compile the question how many rows each of several expressions has: one row, one number each.

    The values of the expressions follow one another.
    """
    return _compile_each(sql.SQL("(SELECT count(*) FROM {})"), nodes)


@lru_cache(maxsize=256)
def compile_existences(nodes: tuple[Node, ...]) -> Statement:
    """Compile the question which of several expressions have any row: one row, one boolean each.

    The values of the expressions follow one another.
    """
    return _compile_each(sql.SQL("EXISTS (SELECT 1 FROM {})"), nodes)


def _compile_each(question: sql.SQL, nodes: Iterable[Node]) -> Statement:
    run = Lowering()
    parts: list[sql.Composable] = []
    slot = 0
    for node in nodes:
        parts.append(question.format(_from(run, node, slot)))
        slot += node.n_slots
    return Statement(run.finish(sql.SQL("SELECT ") + sql.SQL(", ").join(parts)), ())


@lru_cache(maxsize=256)
def compile_delete(node: Node) -> Statement:
    """Compile the deletion of the rows of a restricted table."""
    table = node
    while isinstance(table, (n.Restrict, n.Limit)):
        table = table.source
    if not isinstance(table, n.Base):
        raise DataJointError("only rows of a table can be deleted, not those of a query")
    run = Lowering()
    select = run.node(node, 0)
    if select.is_plain and not select.joined and isinstance(node, (n.Base, n.Restrict)):
        parts = sql.SQL("DELETE FROM ") + select.source + sql.Composed(select.conditions())
        return Statement(run.finish(parts), ())
    key = sql.SQL(", ").join(map(identifier, table.heading.primary_key))
    inner = select.render(table.heading.primary_key)
    target = identifier(*table.model.id)
    statement = sql.SQL("DELETE FROM {} WHERE ({}) IN ({})").format(target, key, inner)
    return Statement(run.finish(statement), ())


def _from(run: Lowering, node: Node, slot: int) -> sql.Composed:
    select = run.node(node, slot)
    if select.is_closed:
        select = run.wrap(select)
    return sql.Composed([select.source, *select.conditions()])
