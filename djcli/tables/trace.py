"""Tracing rows along the foreign keys: to those that they depend on, and to those that depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from djcli.algebra import nodes
from djcli.algebra.closure import Step, closure
from djcli.algebra.conditions import FALSE, TRUE, Condition, Matches
from djcli.algebra.conditions import Any as AnyOf
from djcli.algebra.relation import Node
from djcli.algebra.restriction import Expression, Restriction, Values, read_restriction, same_database
from djcli.catalog.graph import Graph
from djcli.catalog.reach import Link, Reach, reach_down, reach_up
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.names import did_you_mean, display_name
from djcli.sql.statement import quoted_name
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance
from djcli.tables.table import Table, table_object

TableLike = type[Table] | Table | TableId | str
"""A table: its class, an object of it, its full name, or a name as text."""

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
    model = restricted_table(expression)
    graph = graph_above(expression.instance, model)
    target = find_relative(ancestor, graph.ancestors(model.id)[::-1], model.id, "ancestor")
    traced = Traced(_up(graph, model.id), graph, expression.node, expression.values)
    text = f"<what {_described(expression, model)} depends on>"
    return _object(expression.instance, ancestor, target) & _noting(
        traced.restriction(target), text, expression.unmatched
    )


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
    target = find_relative(ancestor, graph.ancestors(model.id)[::-1], model.id, "ancestor")
    known = {name: key[name] for name in model.primary_key if name in key}
    traced = Traced(_up(graph, model.id), graph, nodes.base(model), (), known)
    shown = ", ".join(f"{name}={value!r}" for name, value in known.items())
    text = f"<what {model.id} with {shown} depends on>"
    return _object(table.instance, ancestor, target) & _noting(traced.restriction(target), text)


def descendant_rows(expression: Expression, descendant: TableLike) -> Table:
    """Return the rows of a descendant that depend on the given rows, along any foreign keys; see `ancestor_rows`.

    Raises
    ------
    DataJointError
        If `expression` is no table with restrictions, or `descendant` does not depend on it.
    """
    model = restricted_table(expression)
    instance = expression.instance
    target = _find(descendant, instance.classes)
    graph = None if target is None else graph_above(instance, model_of(instance, target))
    if target is None or graph is None or model.id not in graph:
        known = Graph(cls.class_model() for cls in instance.classes.values())
        below = known.descendants(model.id) if model.id in known else ()
        raise _no_relative(descendant, below, model.id, "descendant")
    traced = Traced(_down(graph, model.id), graph, expression.node, expression.values)
    text = f"<what depends on {_described(expression, model)}>"
    return _object(instance, descendant, target) & _noting(
        traced.restriction(target), text, expression.unmatched
    )


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


def graph_above(instance: Instance, model: TableModel) -> Graph:
    """Return a table with all that it depends on; the database is asked only for tables without a class."""
    found = {model.id: model}
    waiting = [model]
    while waiting:
        for key in waiting.pop().foreign_keys:
            if key.parent not in found:
                found[key.parent] = model_of(instance, key.parent)
                waiting.append(found[key.parent])
    return _graph(tuple(found.values()))


@lru_cache(maxsize=256)
def _graph(models: tuple[TableModel, ...]) -> Graph:
    return Graph(models)


def model_of(instance: Instance, table: TableId) -> TableModel:
    """Return a table as its class declares it, or as the database has it where there is no class."""
    cls = instance.classes.get(table)
    return instance.model(table) if cls is None else cls.class_model()


@dataclass(frozen=True, repr=False)
class Dependence(Restriction):
    """The restriction to rows that were traced; it says in messages what these are."""

    text: str = ""

    def __repr__(self) -> str:
        return self.text


class Traced:
    """Rows of one table, and those of others that they lead to.

    Parameters
    ----------
    reach
        The ways to the other tables.
    graph
        Their models.
    node, values
        The given rows.
    key
        The key of a row that need not be there: then only what it says itself is followed.
    """

    def __init__(
        self,
        reach: Reach,
        graph: Graph,
        node: Node,
        values: Values,
        key: Mapping[str, object] | None = None,
    ) -> None:
        self._reach = reach
        self._graph = graph
        self._given = node, values
        self._key = key
        self._found: dict[TableId, tuple[Node, Values]] = {}

    def rows(self, table: TableId) -> tuple[Node, Values]:
        """Return the rows of a table that are reached, as a structure and its values."""
        if table not in self._found:
            if table == self._reach.source:
                node, values = self._given
            else:
                condition, values = self._ways(table)
                node = nodes.restrict(self._base(table), condition)
            steps = self._reach.loops.get(table)
            if steps is not None:
                condition = self._closed(table, node, steps)
                node = nodes.restrict(self._base(table), condition)
            self._found[table] = node, values
        return self._found[table]

    def restriction(self, table: TableId) -> Restriction:
        """Return what restricts a table to the rows that are reached."""
        if table == self._reach.source and self._key is not None:
            return read_restriction(self._base(table).heading, self._key)
        node, values = self.rows(table)
        if isinstance(node, nodes.Restrict) and isinstance(node.source, nodes.Base):
            return Restriction(node.condition, values)
        return Restriction(TRUE if isinstance(node, nodes.Base) else self._same(node), values)

    def _base(self, table: TableId) -> nodes.Base:
        return nodes.base(self._graph.models[table])

    def _ways(self, table: TableId) -> tuple[Condition, Values]:
        """Return the condition that any of the ways leads to a row."""
        conditions: list[Condition] = []
        values: list[object] = []
        for link in self._reach.links[table]:
            found = self._way(table, link)
            if found is not None:
                conditions.append(found.condition)
                values += found.values
        if not conditions:
            return FALSE, ()
        return AnyOf(tuple(conditions)) if len(conditions) > 1 else conditions[0], tuple(values)

    def _way(self, table: TableId, link: Link) -> Restriction | None:
        if self._key is not None and link.anchor == self._reach.source:
            if not all(theirs in self._key for _, theirs in link.columns):
                return None
            wanted = {own: self._key[theirs] for own, theirs in link.columns}
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

    @staticmethod
    def _same(node: Node) -> Condition:
        return Matches(node, node.heading.primary_key)


def find_relative(asked: TableLike, among: Iterable[TableId], source: TableId, relation: str) -> TableId:
    """Return which of the relatives of a table is asked for.

    Parameters
    ----------
    asked
        A class, an object, a full name, or as text ``Class``, ``schema.Class``, ``schema.table`` or
        ``"schema"."table"``.
    among
        The relatives, nearest first, the table itself perhaps among them.
    source
        The table itself.
    relation
        What they are to it, for the message: ``'ancestor'``.

    Raises
    ------
    DataJointError
        If it is none of them, or several.
    """
    known = tuple(among)
    found = _find(asked, known)
    if found is None or found not in known:
        raise _no_relative(asked, known, source, relation)
    return found


def _find(asked: TableLike, known: Iterable[TableId]) -> TableId | None:
    """Return the table that is asked for, by its name among those known; None when they have no such name."""
    if isinstance(asked, TableId):
        return asked
    if not isinstance(asked, str):
        return asked.class_id() if isinstance(asked, type) else asked.id
    found = [table for table in known if asked in _names(table)]
    if len(found) > 1:
        raise DataJointError(f"{asked!r} may be {' or '.join(map(str, found))}: name its schema too")
    return found[0] if found else None


def _names(table: TableId) -> tuple[str, ...]:
    full = f"{table.schema}.{table.name}"
    return display_name(table.name), str(table), table.name, full, quoted_name(table)


def _no_relative(
    asked: TableLike, known: Iterable[TableId], source: TableId, relation: str
) -> DataJointError:
    others = [table for table in known if table != source]
    near = ""
    if isinstance(asked, str):
        near = did_you_mean(asked, [_names(table)["." in asked] for table in others])
    listed = f"its {relation}s are {', '.join(map(str, others))}" if others else f"it has no {relation}s"
    name = asked if isinstance(asked, str) else _find(asked, ())
    return DataJointError(f"{name} is no {relation} of {source}{near} ({listed})")


def _object(instance: Instance, asked: TableLike, table: TableId) -> Table:
    """Return the whole table that was asked for."""
    if isinstance(asked, (str, TableId)):
        return table_object(instance, table)
    found = asked() if isinstance(asked, type) else table_object(asked.instance, table)
    if not same_database(instance, found.instance):
        raise DataJointError(f"{table} is asked for in another database than the rows are in")
    return found


def _described(expression: Expression, model: TableModel) -> str:
    return expression.described() if isinstance(expression, QueryExpression) else str(model.id)


def _noting(restriction: Restriction, text: str, unmatched: tuple[str, ...] = ()) -> Restriction:
    return Dependence(restriction.condition, restriction.values, unmatched, text)
