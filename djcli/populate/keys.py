"""Which keys a table is to compute: its key source, less what is there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from djcli.algebra import nodes
from djcli.algebra.conditions import Matches, Not
from djcli.algebra.relation import Node
from djcli.algebra.restriction import AndList
from djcli.algebra.semantics import shared_attributes
from djcli.definition.model import ForeignKey, TableModel
from djcli.errors import DataJointError
from djcli.sql.compile import compile_counts
from djcli.sql.statement import parameters
from djcli.tables.declare import ensure
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance
from djcli.tables.meta import TableMeta
from djcli.tables.table import Table


def default_key_source(table: Table) -> QueryExpression:
    """Return the join of the tables that the primary key refers to."""
    instance = table.instance
    keys = [key for key in table.model.foreign_keys if key.in_key]
    if not keys:
        raise DataJointError(
            f"{table.class_name} refers to no table in its primary key, so nothing says what to compute"
        )
    node = _parent(instance, keys[0])
    for key in keys[1:]:
        parent = _parent(instance, key)
        shared = shared_attributes(node.heading, parent.heading, operation="join")
        node = nodes.join(node, parent, shared)
    return QueryExpression(instance, node)


def _parent(instance: Instance, key: ForeignKey) -> Node:
    cls = instance.classes.get(key.parent)
    model: TableModel = cls.class_model() if cls is not None else instance.model(key.parent)
    return nodes.project(nodes.base(model), tuple(nodes.Column(own, theirs) for own, theirs in key.columns))


@dataclass(frozen=True, slots=True)
class Todo:
    """What a populate of one table has before it.

    Attributes
    ----------
    source
        The restricted key source, down to its primary key.
    pending
        Those of its keys that the table does not have.
    made
        The rows of the table that have one of these keys.
    """

    source: QueryExpression
    pending: QueryExpression
    made: QueryExpression


def key_source(table: Table) -> QueryExpression:
    """Return the key source of a table, whatever of the two its class gives: a query or a table.

    Raises
    ------
    DataJointError
        If it is neither.
    """
    source: object = getattr(table, "key_source", None)
    if isinstance(source, TableMeta):
        source = source()
    if not isinstance(source, QueryExpression):
        raise DataJointError(f"{table.class_name}.key_source must be a table or a query, not {source!r}")
    return source


def todo(table: Table, restrictions: Sequence[object] = ()) -> Todo:
    """Work out what a table is to compute; asks the database nothing.

    Parameters
    ----------
    table
        A Computed or Imported table.
    restrictions
        Restrictions of its key source, all of which must hold.

    Raises
    ------
    DataJointError
        If the key source is no query, or has none of the table's key attributes.
    """
    source = key_source(table)
    if restrictions:
        source = source & AndList(restrictions)
    keys = source.proj()
    target = nodes.project(nodes.base(table.model), tuple(nodes.Column(n, n) for n in table.primary_key))
    shared = shared_attributes(keys.heading, target.heading, operation="restrict")
    surplus = [name for name in keys.primary_key if name not in table.primary_key]
    if shared and surplus:
        raise DataJointError(
            f"{table.class_name}.key_source has {', '.join(surplus)} in its key, which the table's key "
            f"({', '.join(table.primary_key)}) lacks; leave it out with dj.U(…) & key_source"
        )
    if not shared:
        own, theirs = ", ".join(table.primary_key), ", ".join(keys.primary_key)
        raise DataJointError(
            f"{table.class_name}.key_source has the key ({theirs}), which shares nothing with the table's ({own})"
        )
    instance = table.instance
    pending = nodes.restrict(keys.node, Not(Matches(target, shared)))
    made = nodes.restrict(nodes.base(table.model), Matches(keys.node, shared))
    return Todo(
        keys, QueryExpression(instance, pending, keys.values), QueryExpression(instance, made, keys.values)
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a table has come.

    Attributes
    ----------
    rows
        The rows that it has; where its key source is restricted, those of the keys that remain in it.
    total, remaining
        The keys of its key source, and those of them still to compute; None for a table that is not computed.
    """

    rows: int
    total: int | None = None
    remaining: int | None = None

    @property
    def done(self) -> int | None:
        """The keys of the key source that are computed."""
        return None if self.total is None or self.remaining is None else self.total - self.remaining


def left(table: Table, restrictions: Sequence[object] = ()) -> tuple[int, int]:
    """Return how many keys of a table remain to compute, and how many there are; see `todo`."""
    work = todo(table, restrictions)
    (remaining, total) = _counts(table.instance, [work.pending, work.source])
    return remaining, total


def progress_of(instance: Instance, tables: Iterable[tuple[Table, Sequence[object]]]) -> list[Progress]:
    """Count rows, keys and pending keys of tables, each with its own restrictions.

    They restrict the key source of a table that is computed, and the rows of any other.
    """
    asked: list[QueryExpression] = []
    shapes: list[bool] = []
    for table, restrictions in tables:
        shapes.append(table.tier.is_auto)
        whole = QueryExpression(instance, nodes.base(table.model))
        if table.tier.is_auto:
            work = todo(table, restrictions)
            asked += [work.made if restrictions else whole, work.source, work.pending]
        else:
            asked.append(whole & AndList(restrictions) if restrictions else whole)
    numbers = iter(_counts(instance, asked))
    return [Progress(next(numbers), *((next(numbers), next(numbers)) if auto else ())) for auto in shapes]


def _counts(instance: Instance, asked: Sequence[QueryExpression]) -> list[int]:
    """Count the rows of expressions, all in one statement."""
    if not asked:
        return []
    counted = tuple(each.node for each in asked)
    values = tuple(value for each in asked for value in each.values)
    ensure(instance, {table for node in counted for table in node.tables})
    (row,) = instance.connection.rows(compile_counts(counted).text, parameters(values))
    return list(map(int, row))
