"""`U`: the universal set, for distinct values and for grouping by any attributes."""

from __future__ import annotations

from typing import Any, cast

from djcli.algebra import nodes
from djcli.algebra.projection import read_computed
from djcli.algebra.restriction import Expression
from djcli.errors import DataJointError
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance


class U:
    """All possible values of some attributes.

    ``U('a', 'b') & table`` are the distinct values of the attributes in the table; ``U('a').aggr(table,
    n='count(*)')`` groups the table by them, and ``U().aggr(table, …)`` takes it as a whole.

    Parameters
    ----------
    *names
        The attributes.
    """

    def __init__(self, *names: str) -> None:
        if not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise DataJointError("U takes names of attributes")
        self.names = names

    def __repr__(self) -> str:
        return f"U({', '.join(map(repr, self.names))})"

    def _expression(self, given: object) -> tuple[Expression, Instance]:
        if not isinstance(given, Expression):
            raise DataJointError(f"{self!r} needs a table or a query, not {given!r}")
        given.node.heading.check(self.names)
        return given, cast(Any, given).instance

    def __and__(self, table: object) -> QueryExpression:
        given, instance = self._expression(table)
        return QueryExpression(instance, nodes.group(given.node, self.names), given.values)

    def aggr(self, table: object, **named: str) -> QueryExpression:
        """Return values computed over the rows of `table` grouped by the attributes.

        Parameters
        ----------
        table
            A table or a query.
        **named
            Aggregates in SQL, ``n='count(*)'``.
        """
        given, instance = self._expression(table)
        if not named:
            raise DataJointError("aggr needs at least one computed attribute, such as n='count(*)'")
        node = nodes.group(given.node, self.names, read_computed(named))
        return QueryExpression(instance, node, given.values)

    aggregate = aggr

    def __mul__(self, table: object) -> QueryExpression:
        raise DataJointError(
            f"{self!r} * table has no meaning here; to add attributes to the key use table.proj"
        )

    def __sub__(self, table: object) -> QueryExpression:
        raise DataJointError(f"{self!r} - table would be infinite; subtract from a table instead")
