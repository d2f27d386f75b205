"""`U`: the universal set, for distinct values and for grouping by any attributes."""

from __future__ import annotations

from djcli.algebra import nodes
from djcli.algebra.projection import read_computed
from djcli.algebra.restriction import Expression, UniversalSet
from djcli.errors import DataJointError
from djcli.tables.expression import QueryExpression
from djcli.tables.instance import Instance


class U(UniversalSet):
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
        super().__init__(*dict.fromkeys(names))

    def __repr__(self) -> str:
        return f"U({', '.join(map(repr, self.names))})"

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The attributes."""
        return self.names

    def _expression(self, given: object) -> tuple[Expression, Instance]:
        if not isinstance(given, Expression):
            raise DataJointError(f"{self!r} needs a table or a query, not {given!r}")
        given.node.heading.check(self.names)
        return given, given.instance

    def __and__(self, table: object) -> QueryExpression:
        given, instance = self._expression(table)
        return QueryExpression.noted(instance, nodes.group(given.node, self.names), given)

    def aggr(self, table: object, **named: str) -> QueryExpression:
        """Return values computed over the rows of `table` grouped by the attributes.

        Parameters
        ----------
        table
            A table or a query.
        **named
            Aggregates in SQL, ``n='count(*)'``.
        """
        if not named.pop("exclude_nonmatching", True):  # the reference takes it here too
            raise DataJointError(f"{self!r}.aggr: there are no rows without a match in a universal set")
        given, instance = self._expression(table)
        if not named:
            return self & table
        for name in named:
            if name in self.names:
                raise DataJointError(f"{self!r}.aggr: {name!r} is an attribute of the key already")
        node = nodes.group(given.node, self.names, read_computed(named))
        return QueryExpression.noted(instance, node, given)

    aggregate = aggr

    def __mul__(self, table: object) -> QueryExpression:
        raise DataJointError(
            f"{self!r} * table has no meaning here; to add attributes to the key use table.proj"
        )

    __rmul__ = __mul__

    def __sub__(self, table: object) -> QueryExpression:
        raise DataJointError(f"{self!r} - table would be infinite; subtract from a table instead")
