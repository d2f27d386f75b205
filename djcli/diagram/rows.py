"""The rows that a diagram is about: all, those of a trace or a cascade, or those that restrictions leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from djcli.algebra.relation import Node
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.sql.compile import compile_counts, compile_existences
from djcli.sql.statement import Statement, parameters
from djcli.tables import delete
from djcli.tables.declare import ensure
from djcli.tables.instance import Instance
from djcli.tables.table import Table, table_object
from djcli.tables.trace import Traced


@dataclass(frozen=True)
class DiagramRows:
    """Which rows of its tables a diagram is about.

    Attributes
    ----------
    instance
        Their database; None for a diagram of tables that are in none.
    kind
        ``'trace'``, ``'cascade'``, ``'restrict'``, or ``'all'``.
    reached
        The tables of which not all rows count.
    traced
        What was given, with what it leads to; a row must be in all of them that reach its table.
    deletion
        Of a cascade in a circle, where rows are found only all at once: the table, and the policy for parts.
    """

    instance: Instance | None
    kind: str = "all"
    reached: frozenset[TableId] = frozenset()
    traced: tuple[Traced, ...] = ()
    deletion: tuple[Any, str] | None = None

    def united(self, other: DiagramRows) -> DiagramRows:
        """Return which rows two diagrams together are about.

        Raises
        ------
        DataJointError
            If both choose rows, and not the same.
        """
        if other.kind == "all" or other is self:
            return replace(self, instance=self.instance or other.instance)
        if self.kind != "all":
            raise DataJointError(
                "both diagrams choose rows, so it cannot be told which count; restrict their union"
            )
        return other

    def restricted(self, traced: Traced) -> DiagramRows:
        """Return the rows that one restriction more leaves."""
        reached = self.reached.union(traced.tables)
        return replace(self, kind="restrict", reached=reached, traced=(*self.traced, traced))

    def table(self, table: TableId) -> Table:
        """Return a table, restricted to its rows.

        Raises
        ------
        DataJointError
            If the diagram has no database, or if the rows are found only together with others.
        """
        if self.deletion is not None:
            raise DataJointError(
                "this cascade goes in circles, so that its rows are found only all at once: use counts()"
            )
        found = table_object(self.database(), table)
        for traced in self.traced:
            if table in traced.tables:
                found = found & traced.restriction(table)
        return found

    def counts(self, tables: Sequence[TableId]) -> dict[TableId, int]:
        """Return how many rows of each table there are."""
        if self.deletion is not None:
            table, policy = self.deletion
            found = delete.preview(table, part_integrity=policy)
            return {name: found.get(name, 0) for name in tables}
        numbers = self._ask(compile_counts, len, tables)
        return dict(zip(tables, map(int, numbers), strict=True))

    def filled(self, tables: Sequence[TableId]) -> list[TableId]:
        """Return the tables that have any row."""
        answers = self._ask(compile_existences, bool, tables)
        return [table for table, is_filled in zip(tables, answers, strict=True) if is_filled]

    def _ask(
        self,
        compile_all: Callable[[tuple[Node, ...]], Statement],
        ask_one: Callable[[Table], int],
        tables: Iterable[TableId],
    ) -> Sequence[int]:
        """Ask a question about each table, all in one statement."""
        asked = [self.table(table) for table in tables]
        if not asked:
            return ()
        instance = self.database()
        if instance.interceptor is not None:  # it takes one query at a time
            return [ask_one(table) for table in asked]
        ensure(instance, {table for query in asked for table in query.node.tables})
        values = [value for query in asked for value in query.values]
        statement = compile_all(tuple(query.node for query in asked))
        (answers,) = instance.connection.rows(statement.text, parameters(values))
        return answers

    def database(self) -> Instance:
        """Return the database.

        Raises
        ------
        DataJointError
            If there is none.
        """
        if self.instance is None:
            raise DataJointError("the diagram is of tables without a database: there are no rows to ask for")
        return self.instance
