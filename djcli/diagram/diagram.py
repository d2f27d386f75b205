"""The diagram: a choice of tables from a graph, with its algebra and its drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, SupportsIndex, cast

from djcli.algebra.restriction import Expression
from djcli.catalog.graph import Graph
from djcli.catalog.introspect import load
from djcli.definition.model import TableId, TableModel
from djcli.diagram.drawn import Drawn
from djcli.diagram.picture import Picture, compose, list_attributes
from djcli.diagram.rows import DiagramRows
from djcli.diagram.source import DiagramSource, find_source, instance_of
from djcli.errors import DataJointError, MissingTableError
from djcli.settings import config
from djcli.sql.statement import quoted_name
from djcli.tables import delete
from djcli.tables.cascade import plan_cascade
from djcli.tables.relatives import TableLike, find_named, no_member, no_relative
from djcli.tables.table import Table
from djcli.tables.trace import restricted_table, trace_down, trace_up


class Diagram(Drawn):
    """Tables and their foreign keys, to be chosen and drawn; immutable.

    ``diagram + n`` and ``diagram - n`` add n generations of descendants or ancestors; ``+``, ``-`` and ``*``
    between diagrams (or anything a diagram can be made of) unite, subtract and intersect.

    Parameters
    ----------
    source
        A schema, a table (class or instance), a module with a schema, or another diagram.
    direction
        ``'TB'`` draws parents above, ``'LR'`` to the left of their children; None leaves it to the
        setting ``display.diagram_direction``.
    tooltip
        Describes a table in the text that shows up under the pointer.

    Raises
    ------
    DataJointError
        If a diagram cannot be made of the source, or the direction is unknown.
    """

    def __init__(
        self,
        source: object,
        *,
        direction: str | None = None,
        tooltip: Callable[[TableModel], str] | None = None,
    ) -> None:
        if direction not in (None, "TB", "LR"):
            raise DataJointError(f"a diagram's direction is 'TB' or 'LR', not {direction!r}")
        if isinstance(source, Diagram):
            self._set(source._graph, source._shown, source._collapsed, source._titles, source._rows)
            self._direction = direction or source._direction
            self._tooltip = tooltip or source._tooltip
            return
        found = find_source(source)
        self._set(
            found.diagram_graph(),
            frozenset(found.diagram_nodes()),
            frozenset(),
            dict(found.diagram_titles()),
            DiagramRows(instance_of(found)),
        )
        self._direction = direction
        self._tooltip = tooltip or list_attributes

    def _set(
        self,
        graph: Graph,
        shown: frozenset[TableId],
        collapsed: frozenset[TableId],
        titles: Mapping[str, str],
        rows: DiagramRows,
    ) -> None:
        for table in shown:
            if table not in graph:
                raise MissingTableError(f"table {table} is not among the known tables: declare it first")
        self._graph = graph
        self._shown = shown
        self._collapsed = collapsed & shown
        self._titles = titles
        self._rows = rows

    def _with(self, shown: Iterable[TableId], collapsed: Iterable[TableId]) -> Diagram:
        """Return a diagram of the same graph that shows other tables."""
        new = Diagram(self)
        new._set(self._graph, frozenset(shown), frozenset(collapsed), self._titles, self._rows)
        return new

    @classmethod
    def from_sequence(cls, sequence: Iterable[object]) -> Diagram:
        """Return the union of the diagrams of several sources.

        Raises
        ------
        DataJointError
            If there is none, or a diagram cannot be made of one.
        """
        diagrams = [cls(source) for source in sequence]
        if not diagrams:
            raise DataJointError("a diagram needs at least one schema or table")
        result = diagrams[0]
        for diagram in diagrams[1:]:
            result = result + diagram
        return result

    # ---- what it holds

    @property
    def graph(self) -> Graph:
        """All tables that the diagram may grow to."""
        return self._graph

    @property
    def tables(self) -> tuple[TableId, ...]:
        """The tables of the diagram, parents first, parts next to their masters."""
        return self._graph.topological_order(self._shown)

    @property
    def collapsed(self) -> frozenset[TableId]:
        """Those of its tables that are drawn as one node for each schema."""
        return self._collapsed

    def diagram_graph(self) -> Graph:
        """Return the graph: a diagram is a source of diagrams itself."""
        return self._graph

    def diagram_nodes(self) -> Iterable[TableId]:
        """Return its tables."""
        return self._shown

    def diagram_titles(self) -> Mapping[str, str]:
        """Return the names shown for schemas."""
        return self._titles

    def __iter__(self) -> Iterator[Table]:
        """Iterate over the tables, parents first, each restricted to the rows that the diagram is about."""
        return map(self._rows.table, self.tables)

    def __reversed__(self) -> Iterator[Table]:
        """Iterate over the tables, children first; see `__iter__`."""
        return map(self._rows.table, reversed(self.tables))

    def __getitem__(self, asked: TableLike) -> Table:
        """Return one of the tables, restricted to the rows that the diagram is about.

        Parameters
        ----------
        asked
            Its class, an object of it, or its name: ``Class``, ``schema.Class``, ``schema.table``.

        Raises
        ------
        DataJointError
            If it is not in the diagram; the message lists the tables.
        """
        tables = self.tables
        found = find_named(asked, tables)
        if found is not None and found in self._shown:
            return self._rows.table(found)
        if self._rows.kind == "trace":
            raise no_relative(asked, tables[::-1], self._rows.traced[0].source, "ancestor")
        raise no_member(asked, tables, "not in the diagram", "it has")

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self._shown)

    def __contains__(self, item: object) -> bool:
        """Tell whether a table, or each table of another diagram or source, is shown."""
        if isinstance(item, tuple):
            return item in self._shown
        return isinstance(item, DiagramSource) and self._shown.issuperset(item.diagram_nodes())

    # ---- algebra

    def __add__(self, other: object) -> Diagram:
        """Add generations of descendants, or unite with another diagram."""
        if isinstance(other, SupportsIndex):
            return self._grown(self._graph.around(self._shown, descendants=_generations(other)))
        if not isinstance(other, DiagramSource):
            return NotImplemented
        that = Diagram(other)
        new = Diagram(self)
        open_tables = (self._shown - self._collapsed) | (that._shown - that._collapsed)
        shown = self._shown | that._shown
        new._set(
            _merge(self._graph, that._graph),
            shown,
            shown - open_tables,
            {**that._titles, **self._titles},
            self._rows.united(that._rows),
        )
        return new

    def __sub__(self, other: object) -> Diagram:
        """Add generations of ancestors, or take away the tables of another diagram."""
        if isinstance(other, SupportsIndex):
            return self._grown(self._graph.around(self._shown, ancestors=_generations(other)))
        if not isinstance(other, DiagramSource):
            return NotImplemented
        return self._with(self._shown.difference(other.diagram_nodes()), self._collapsed)

    def __mul__(self, other: object) -> Diagram:
        """Keep the tables that another diagram has, too."""
        if not isinstance(other, DiagramSource):
            return NotImplemented
        return self._with(self._shown.intersection(other.diagram_nodes()), self._collapsed)

    def _grown(self, tables: set[TableId]) -> Diagram:
        """Return the diagram with more tables; what a trace or a cascade does not reach stays out."""
        if self._rows.kind in ("trace", "cascade"):
            tables &= self._rows.reached | self._shown
        return self._with(tables, self._collapsed)

    def collapse(self) -> Diagram:
        """Return the diagram with its tables drawn as one node for each schema.

        In a union, tables that are not collapsed in one of the diagrams are drawn as tables.
        """
        return self._with(self._shown, self._shown)

    def add_parts(self) -> Diagram:
        """Return the diagram with all parts of its masters."""
        parts = {part for table in self._shown for part in self._graph.parts(table)}
        return self._with(self._shown | parts, self._collapsed)

    # ---- rows

    @classmethod
    def trace(cls, table_expr: Expression) -> Diagram:
        """Return a table with all that its rows depend on; ``trace[Table]`` and `counts` tell of those rows.

        A row of an ancestor is among them when the given rows lead to it along any foreign keys. The database is
        asked nothing.

        Parameters
        ----------
        table_expr
            A table, restricted or not.

        Raises
        ------
        DataJointError
            If it is no table with restrictions.
        """
        traced = trace_up(table_expr)
        rows = DiagramRows(table_expr.instance, "trace", frozenset(traced.tables), (traced,))
        return cls._about(rows, traced.graph, traced.tables)

    @classmethod
    def cascade(cls, table_expr: Expression, part_integrity: str = "enforce") -> Diagram:
        """Return a table with all that a deletion of its rows reaches; `counts` tells what would go.

        Nothing is deleted. Which tables there are is asked of the database, so that none is left out because
        no class stands for it.

        Parameters
        ----------
        table_expr
            A table, restricted or not.
        part_integrity
            As for `Table.delete`; ``'cascade'`` takes masters along with rows of their parts. That ``'enforce'``
            would refuse is no error here.

        Raises
        ------
        DataJointError
            If it is no table with restrictions, if these have no effect, or if the table is not declared.
        """
        delete.check_part_integrity(part_integrity)
        model = restricted_table(table_expr)
        table = cast(Any, table_expr)() if isinstance(table_expr, type) else cast(Any, table_expr)
        delete.check_restriction(table)
        table.ensure_declared()
        plan = plan_cascade(table.connection, model.id, with_masters=part_integrity == "cascade")
        schemas = sorted({name.schema for name in plan.links})
        graph = load(table.connection, schemas, downstream=True).graph
        rows = DiagramRows(table.instance, "cascade", frozenset(plan.links))
        if plan.is_circular:
            policy = "cascade" if part_integrity == "cascade" else "ignore"
            rows = replace(rows, deletion=(table, policy))
        else:
            rows = replace(rows, traced=(trace_down(table_expr, graph),))
        return cls._about(rows, graph, plan.links)

    @classmethod
    def _about(cls, rows: DiagramRows, graph: Graph, tables: Iterable[TableId]) -> Diagram:
        new = cls.__new__(cls)
        new._set(graph, frozenset(tables), frozenset(), {}, rows)
        new._direction, new._tooltip = None, list_attributes
        return new

    def restrict(self, table_expr: Expression) -> Diagram:
        """Return the diagram with fewer rows: of a table those given, and of its descendants what depends on them.

        Where several restricted tables meet, a row must depend on rows of each, in every way in which its table
        does. Tables above the restricted one keep all their rows.

        Parameters
        ----------
        table_expr
            A table, restricted; the diagram need not show it.

        Raises
        ------
        DataJointError
            If it is not in the graph, or if the diagram was made by `trace` or `cascade`.
        """
        if self._rows.kind in ("trace", "cascade"):
            raise DataJointError(
                f"the rows are chosen by Diagram.{self._rows.kind}() already: restrict its argument instead"
            )
        table = restricted_table(table_expr).id
        if table not in self._graph:
            raise no_member(table, self._graph.nodes, "not in the graph of the diagram", "it has")
        traced = trace_down(table_expr, self._graph, every=True)
        new = Diagram(self)
        new._rows = self._rows.restricted(traced)
        return new

    def counts(self) -> dict[str, int]:
        """Return how many rows of each table the diagram is about, by its quoted name, parents first.

        All are counted in one statement. Tables that a trace, a cascade or a restriction does not reach are left
        out.
        """
        tables = [t for t in self.tables if self._rows.kind == "all" or t in self._rows.reached]
        return {quoted_name(table): number for table, number in self._rows.counts(tables).items()}

    def prune(self) -> Diagram:
        """Return the diagram without the tables that have no rows left.

        Raises
        ------
        DataJointError
            If it was made by `cascade`: rows may still be added to tables of which nothing would go.
        """
        if self._rows.kind == "cascade":
            raise DataJointError(
                "a cascade keeps all tables that a deletion may reach: rows may be added to them meanwhile"
            )
        return self._with(self._rows.filled(self.tables), self._collapsed)

    # ---- drawing

    def _picture(self) -> Picture:
        expanded = self._shown - self._collapsed
        return compose(self._graph, expanded, self._collapsed, self._titles, self._tooltip)

    def _flow(self) -> str:
        return self._direction or str(config["display.diagram_direction"])


def _generations(number: SupportsIndex) -> int:
    count = number.__index__()
    if count < 0:
        raise DataJointError(f"the number of generations must not be negative, but is {count}")
    return count


def _merge(one: Graph, other: Graph) -> Graph:
    """Return a graph of both; where they hold the same table, that of the first counts."""
    extra = [model for table, model in other.models.items() if table not in one.models]
    return Graph([*one.models.values(), *extra]) if extra else one
