"""`Select`: a SELECT statement in the making, and how it is wrapped into a subquery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import sql

from djcli.algebra.nodes import Order
from djcli.sql.statement import enclosed, identifier


@dataclass(slots=True)
class Output:
    """One column of a SELECT.

    Attributes
    ----------
    expression
        Its SQL.
    column
        The bare name of the column that it reads; None when it is computed.
    """

    expression: sql.Composable
    column: str | None


@dataclass(slots=True)
class Select:
    """The parts of a SELECT statement.

    Attributes
    ----------
    source
        The FROM clause; None selects from nothing.
    outputs
        The columns by their names.
    providers
        How many of the FROM clause's items offer a column of this bare name; where it is one, the bare
        name is unambiguous, as the user's own SQL needs it.
    where, group
        Conditions, ANDed; grouping expressions.
    words
        The words of the user's own SQL among the conditions.
    distinct
        Whether duplicates are removed.
    tail
        ORDER BY, LIMIT and OFFSET. A SELECT with a group, a distinction or a tail is *closed*: what comes
        next needs it as a subquery.
    joined
        Whether the FROM clause has several items.
    """

    source: sql.Composable
    outputs: dict[str, Output]
    providers: Counter[str] = field(default_factory=Counter[str])
    where: list[sql.Composable] = field(default_factory=list[sql.Composable])
    words: frozenset[str] = frozenset()
    group: list[sql.Composable] | None = None
    distinct: bool = False
    tail: sql.Composable | None = None
    joined: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether rows were grouped, made distinct or counted off."""
        return self.group is not None or self.distinct or self.tail is not None

    @property
    def is_plain(self) -> bool:
        """Whether it is open and computes nothing, so that conditions and joins can be added to it."""
        return not self.is_closed and all(output.column is not None for output in self.outputs.values())

    def is_bare(self, name: str) -> bool:
        """Whether the bare `name` means this SELECT's output of that name."""
        output = self.outputs.get(name)
        return output is not None and output.column == name and self.providers[name] == 1

    def all_bare(self, names: Iterable[str] | None = None) -> bool:
        """Whether every name (every output, by default) is bare."""
        return all(self.is_bare(name) for name in (self.outputs if names is None else names))

    def computes(self, names: Iterable[str]) -> bool:
        """Whether any of the outputs is computed, rather than a column."""
        return any(name in self.outputs and self.outputs[name].column is None for name in names)

    def understands(self, words: Iterable[str]) -> bool:
        """Whether the user's SQL with these words can stand here.

        Those that name outputs must mean them, and none may name a column that is no output.
        """
        return all(self.is_bare(w) for w in words if w in self.outputs or self.providers[w] > 0)

    def forget(self, names: Iterable[str]) -> None:
        """Drop outputs, because the other side of a join has the same attributes."""
        for name in names:
            self.outputs.pop(name, None)

    def render(
        self, names: Iterable[str] | None = None, *, tail: sql.Composable | None = None
    ) -> sql.Composed:
        """Return the statement, with the named columns in order (all of them by default)."""
        columns = [self._column(name) for name in (self.outputs if names is None else names)]
        parts: list[sql.Composable] = [
            sql.SQL("SELECT DISTINCT ") if self.distinct else sql.SQL("SELECT "),
            sql.SQL(", ").join(columns) if columns else sql.SQL("1"),
            sql.SQL(" FROM "),
            self.source,
        ]
        parts += self.conditions()
        if self.group:
            parts += [sql.SQL(" GROUP BY "), sql.SQL(", ").join(self.group)]
        if self.tail is not None:
            parts.append(self.tail)
        if tail is not None:
            parts.append(tail)
        return sql.Composed(parts)

    def conditions(self) -> list[sql.Composable]:
        """Return the WHERE clause, empty without conditions."""
        return [sql.SQL(" WHERE "), sql.SQL(" AND ").join(self.where)] if self.where else []

    def _column(self, name: str) -> sql.Composable:
        output = self.outputs[name]
        if output.column == name:
            return output.expression
        return sql.Composed([output.expression, sql.SQL(" AS "), identifier(name)])


def subquery(select: Select, alias: str) -> Select:
    """Wrap a SELECT: ``(select) AS alias``, every column of which is bare."""
    return named(select.render(), alias, select.outputs)


def named(query: sql.Composable, alias: str, names: Iterable[str]) -> Select:
    """Select from ``(query) AS alias``, whose columns have these names."""
    source = sql.SQL("({}) AS {}").format(query, identifier(alias))
    outputs = {name: Output(identifier(alias, name), name) for name in names}
    return Select(source, outputs, Counter(outputs.keys()))


def computed(text: str) -> Output:
    """Return a column computed by the user's own SQL."""
    return Output(enclosed(text), None)


def order_by(select: Select, order: Sequence[Order]) -> sql.Composed:
    """Return the ORDER BY clause, empty without terms."""
    if not order:
        return sql.Composed([])
    terms = [
        select.outputs[term.name].expression + sql.SQL(" DESC")
        if term.descending
        else select.outputs[term.name].expression
        for term in order
    ]
    return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(terms)
