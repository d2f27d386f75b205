"""The compiler: from the structure of an expression to the text of the statement that asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from psycopg import sql

from djcli.algebra import nodes as n
from djcli.algebra.heading import HeadingAttribute
from djcli.algebra.relation import Node
from djcli.errors import DataJointError
from djcli.sql.comparison import comparison_type
from djcli.sql.lower import Lowering
from djcli.sql.marks import Marks, NoSettingError, Settings
from djcli.sql.select import order_by
from djcli.sql.statement import CopyOut, Statement, identifier

__all__ = [
    "comparison_type",
    "compile_copy",
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
    run = Lowering(Marks())
    select = _select(run, node, names, order, limited=limited)
    return Statement(run.finish(select), _columns(node, names))


@lru_cache(maxsize=1024)
def compile_copy(
    node: Node,
    names: tuple[str, ...] | None = None,
    order: tuple[n.Order, ...] = (),
    *,
    limited: bool = False,
) -> CopyOut | None:
    """Compile an expression to the binary COPY of its rows; the parameters are those of `compile_select`.

    Returns
    -------
    CopyOut or None
        None where a value has no type to travel as.
    """
    marks = Settings()
    run = Lowering(marks)
    try:
        select = _select(run, node, names, order, limited=limited)
    except NoSettingError:
        return None
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(run.complete(select))
    settings = marks.statement.as_string() if marks.statement is not None else None
    return CopyOut(copy.as_string(), _columns(node, names), settings)


def _select(
    run: Lowering, node: Node, names: tuple[str, ...] | None, order: tuple[n.Order, ...], *, limited: bool
) -> sql.Composable:
    select = run.node(node, 0)
    if (order or limited) and (select.distinct or select.tail is not None):
        select = run.wrap(select)
    tail = order_by(select, order)
    if limited:
        tail += sql.SQL(" LIMIT {} OFFSET {}").format(run.marks.number("limit"), run.marks.number("offset"))
    if select.distinct and names is not None:
        select = run.wrap(select)
    return select.render(node.heading.names if names is None else names, tail=tail)


def _columns(node: Node, names: tuple[str, ...] | None) -> tuple[HeadingAttribute, ...]:
    return tuple(node.heading[name] for name in (node.heading.names if names is None else names))


@lru_cache(maxsize=1024)
def compile_count(node: Node) -> Statement:
    """Compile the question how many rows an expression has."""
    run = Lowering(Marks())
    return Statement(run.finish(sql.SQL("SELECT count(*) FROM ") + _from(run, node, 0)), ())


@lru_cache(maxsize=1024)
def compile_exists(node: Node) -> Statement:
    """Compile the question whether an expression has any row."""
    run = Lowering(Marks())
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
    run = Lowering(Marks())
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
    run = Lowering(Marks())
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
