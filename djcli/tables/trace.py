"""Tracing rows along the foreign keys: to those that they depend on, and to those that depend on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from djcli.algebra import nodes
from djcli.algebra.closure import Step, closure, merged
from djcli.algebra.conditions import FALSE, TRUE, All, Condition, Matches
from djcli.algebra.conditions import Any as AnyOf
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Expression, Restriction, Values, read_restriction, same_database
from djcli.catalog.graph import Graph
from djcli.catalog.reach import Link, Reach, reach_down, reach_up
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance
from djcli.tables.relatives import TableLike, find_relative, graph_above
from djcli.tables.table import Table, table_object

_up = lru_cache(maxsize=256)(reach_up)
_down = lru_cache(maxsize=256)(reach_down)


def ancestor_rows(expression: Expression, ancestor: TableLike) -> Table:
    """Return the rows of an ancestor that the given rows depend on, along all foreign keys that lead there.

    Nothing is asked of the database, as with any operator.

    Parameters
    ----------
    expression
        A table, restricted or not.
    ancestor
        The class of an ancestor, or its name; the table itself counts as one.

    Returns
    -------
    Table
        An object of the ancestor's class, restricted; a `FreeTable` where there is only a name.

    Raises
    ------
    DataJointError
        If `expression` is no table with restrictions, or does not depend on `ancestor`; the message lists the
        ancestors.
    """
    return trace_up(expression).table(ancestor)


def ancestor_rows_of_key(table: type[Table] | Table, key: Mapping[str, object], ancestor: TableLike) -> Table:
    """Return the rows of an ancestor that a row with this key depends on, whether that row is there yet or not.

    It is what a ``make`` may read for its key. Foreign keys within the primary key are followed by their values,
    secondary ones of the tables above by their rows; secondary ones of the table itself are not known before
    its row is there, and lead nowhere.

    Parameters
    ----------
    table
        The table of the row.
    key
        The values of its primary key; other items are passed over.
    ancestor
        As for `ancestor_rows`.

    Returns
    -------
    Table
        As `ancestor_rows` does.

    Raises
    ------
    DataJointError
        If the table does not depend on `ancestor`; the message lists the ancestors.
    """
    model = restricted_table(table)
    graph = graph_above(table.instance, model)
    known = {name: key[name] for name in model.primary_key if name in key}
    shown = ", ".join(f"{name}={value!r}" for name, value in known.items())
    given = Given(
        table.instance, nodes.base(model), (), (), f"what {model.id} with {shown} depends on", known
    )
    return Traced(given, graph, _up(graph, model.id), "ancestor").table(ancestor)


def key_columns(table: type[Table] | Table, ancestor: TableLike) -> tuple[tuple[str, str], ...] | None:
    """Return pairs of an ancestor's attributes and those of the key that tell which of its rows a row depends on.

    It is a short way to `ancestor_rows_of_key`; None when the values of the key alone do not tell.
    """
    model = restricted_table(table)
    graph = graph_above(table.instance, model)
    target = find_relative(ancestor, graph.ancestors(model.id)[::-1], model.id, "ancestor")
    reach = _up(graph, model.id)
    links = reach.links[target]
    if len(links) != 1 or links[0].anchor != model.id or target in reach.loops:
        return None
    columns = links[0].columns
    return columns if all(theirs in model.primary_key for _, theirs in columns) else None


def trace_up(expression: Expression) -> Traced:
    """Return the given rows with all that they depend on.

    Raises
    ------
    DataJointError
        If the expression is no table with restrictions.
    """
    model = restricted_table(expression)
    graph = graph_above(expression.instance, model)
    given = Given.of(expression, f"what {_described(expression, model)} depends on")
    return Traced(given, graph, _up(graph, model.id), "ancestor")


def trace_down(expression: Expression, graph: Graph, *, every: bool = False) -> Traced:
    """Return the given rows with all in a graph's tables that depends on them.

    Parameters
    ----------
    expression
        A table, restricted or not.
    graph
        The tables.
    every
        Whether a row must depend on given rows in every way in which its table does; else one is enough.

    Raises
    ------
    DataJointError
        If the expression is no table with restrictions.
    """
    model = restricted_table(expression)
    given = Given.of(expression, f"what depends on {_described(expression, model)}")
    return Traced(given, graph, _down(graph, model.id), "descendant", every=every)


def restricted_table(expression: Expression) -> TableModel:
    """Return the table of which an expression has rows.

    Raises
    ------
    DataJointError
        If it is no table with restrictions.
    """
    node = expression.node
    while isinstance(node, (nodes.Restrict, nodes.Limit)):
        node = node.source
    if not isinstance(node, nodes.Base):
        names = ", ".join(sorted(map(str, node.tables)))
        raise DataJointError(
            f"only rows of one table can be traced, and this is a query of {names}: restrict the table by it,"
            " as in Table & query"
        )
    return node.model


@dataclass(frozen=True, repr=False)
class Dependence(Restriction):
    """The restriction to rows that were traced; it says in messages what these are."""

    text: str = ""

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Given:
    """The rows that a trace starts from.

    Attributes
    ----------
    instance
        Their database.
    node, values
        The rows.
    unmatched
        Keys of dict restrictions that had no effect.
    text
        What is traced, for messages.
    key
        The key of a row that need not be there: then only what it says itself is followed.
    """

    instance: Instance
    node: Node
    values: Values
    unmatched: tuple[str, ...]
    text: str
    key: Mapping[str, object] | None = None

    @classmethod
    def of(cls, expression: Expression, text: str) -> Given:
        """Return the rows of an expression."""
        return cls(expression.instance, expression.node, expression.values, expression.unmatched, text)


class Traced:
    """Rows of one table, and those of others that they lead to.

    Parameters
    ----------
    given
        The rows.
    graph
        The models of all tables.
    reach
        The ways to the other tables.
    relation
        What these are to the first: ``'ancestor'`` or ``'descendant'``.
    every
        Whether all ways must lead to a row; else one is enough.
    """

    def __init__(
        self, given: Given, graph: Graph, reach: Reach, relation: str, *, every: bool = False
    ) -> None:
        self.given = given
        self.graph = graph
        self._reach = reach
        self._relation = relation
        self._every = every
        self._found: dict[TableId, tuple[Node, Values]] = {}

    @property
    def source(self) -> TableId:
        """The table of the given rows."""
        return self._reach.source

    @property
    def tables(self) -> tuple[TableId, ...]:
        """The table itself, then the others, nearest first."""
        return tuple(self._reach.links)

    def table(self, asked: TableLike) -> Table:
        """Return a table restricted to the rows that are reached.

        Raises
        ------
        DataJointError
            If it is not among the tables.
        """
        found = find_relative(asked, self.tables, self.source, self._relation)
        return _object(self.given.instance, asked, found) & self.restriction(found)

    def restriction(self, table: TableId) -> Restriction:
        """Return what restricts a table to the rows that are reached."""
        if table == self.source and self.given.key is not None:
            return read_restriction(self._base(table).heading, self.given.key)
        node, values = self.rows(table)
        condition: Condition = TRUE
        if isinstance(node, nodes.Restrict) and isinstance(node.source, nodes.Base):
            condition = node.condition
        elif not isinstance(node, nodes.Base):
            condition = Matches(node, node.heading.primary_key)
        return Dependence(condition, values, self.given.unmatched, f"<{self.given.text}>")

    def rows(self, table: TableId) -> tuple[Node, Values]:
        """Return the rows of a table that are reached, as a structure and its values."""
        if table not in self._found:
            if table == self.source:
                node, values = self.given.node, self.given.values
            else:
                condition, values = self._ways(table)
                node = nodes.restrict(self._base(table), condition)
            steps = self._reach.loops.get(table)
            if steps is not None and not self._every:
                node = nodes.restrict(self._base(table), self._closed(table, node, steps))
            self._found[table] = node, values
        return self._found[table]

    def _base(self, table: TableId) -> nodes.Base:
        return nodes.base(self.graph.models[table])

    def _ways(self, table: TableId) -> tuple[Condition, Values]:
        """Return the condition that a way, or every way, leads to a row."""
        found = [
            way for way in (self._way(table, link) for link in self._reach.links[table]) if way is not None
        ]
        values = tuple(value for way in found for value in way.values)
        conditions = tuple(way.condition for way in found)
        if len(conditions) < 2:
            return conditions[0] if conditions else FALSE, values
        if self._every:
            return All(conditions), values
        return self._any(table, conditions), values

    def _any(self, table: TableId, conditions: tuple[Condition, ...]) -> Condition:
        """Return the condition that one of several holds, such that each can use its index.

        The database reads a whole table for ``EXISTS … OR EXISTS …``.
        """
        key = self._base(table).heading.primary_key
        through = [condition for condition in conditions if isinstance(condition, Matches)]
        if not through or not key:
            return AnyOf(conditions)
        if len(through) == len(conditions) and all(way.shared == through[0].shared for way in through):
            return Matches(merged(tuple(way.node for way in through)), through[0].shared)
        columns = tuple(nodes.Column(name, name) for name in key)
        rows = (nodes.restrict(self._base(table), condition) for condition in conditions)
        return Matches(merged(tuple(nodes.project(part, columns) for part in rows)), key)

    def _way(self, table: TableId, link: Link) -> Restriction | None:
        key = self.given.key
        if key is not None and link.anchor == self.source:
            if not all(theirs in key for _, theirs in link.columns):
                return None
            wanted = {own: key[theirs] for own, theirs in link.columns}
            return read_restriction(self._base(table).heading, wanted)
        node, values = self.rows(link.anchor)
        columns = tuple(nodes.Column(own, theirs) for own, theirs in link.columns)
        return Restriction(
            Matches(nodes.project(node, columns), tuple(own for own, _ in link.columns)), values
        )

    def _closed(self, table: TableId, node: Node, steps: tuple[Step, ...]) -> Condition:
        """Return the condition that a row is one of `node`, or that one of these leads to it."""
        base = self._base(table)
        key = base.heading.primary_key
        needed = dict.fromkeys((*key, *(name for step in steps for pair in step for name in pair)))
        start = nodes.project(node, tuple(nodes.Column(name, name) for name in needed))
        return Matches(closure(start, base, steps), key or tuple(needed))


def _object(instance: Instance, asked: TableLike, table: TableId) -> Table:
    """Return the whole table that was asked for."""
    if isinstance(asked, (str, TableId)):
        return table_object(instance, table)
    found = cast(Table, asked()) if isinstance(asked, type) else table_object(asked.instance, table)
    if not same_database(instance, found.instance):
        raise DataJointError(f"{table} is asked for in another database than the rows are in")
    return found


def _described(expression: Expression, model: TableModel) -> str:
    return expression.described() if isinstance(expression, QueryExpression) else str(model.id)
