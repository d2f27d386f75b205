"""`QueryExpression`: the algebra as operators; its results are in `Results`."""

from __future__ import annotations

from types import EllipsisType
from typing import Any, Self, cast

from djcli.algebra import nodes
from djcli.algebra.conditions import TRUE, Condition, Constant, Not
from djcli.algebra.keyed import restricted_by_dict
from djcli.algebra.ordering import Top, handed_on, read_order
from djcli.algebra.projection import read_aggregation, read_projection
from djcli.algebra.relation import Node
from djcli.algebra.restriction import (
    AndList,
    Expression,
    Negation,
    UniversalSet,
    Values,
    read_restriction,
    same_database,
)
from djcli.algebra.semantics import shared_attributes
from djcli.errors import DataJointError
from djcli.tables.binding import either
from djcli.tables.fetch import Query
from djcli.tables.instance import Instance
from djcli.tables.results import Results

__all__ = ["QueryExpression", "Top"]


class QueryExpression(Results, Expression):
    """A relation: a table, or what the operators make of tables.

    Expressions never change; building one asks the database nothing.
    """

    _restrictions: tuple[object, ...] = ()

    def __init__(self, instance: Instance, node: Node, values: Values = ()) -> None:
        self._instance = instance
        self._node: Node | None = node
        self._values = values
        self._unmatched: tuple[str, ...] = ()

    # ---- structure ----------------------------------------------------------------------------------

    @property
    def instance(self) -> Instance:
        """The database it is asked of."""
        return self._instance

    @property
    def node(self) -> Node:
        """The structure of the expression."""
        assert self._node is not None
        return self._node

    @property
    def values(self) -> Values:
        """The values of the structure's slots."""
        return self._values

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Keys of dict restrictions none of which matched an attribute; such a restriction has no effect."""
        return self._unmatched

    @property
    def restriction(self) -> AndList:
        """The restrictions since the last other operator, as they were given."""
        return AndList(self._restrictions)

    @property
    def primary_key(self) -> list[str]:
        """The names of the primary key's attributes."""
        return list(self.heading.primary_key)

    @property
    def connection(self) -> Any:
        """The connection to its database."""
        return self.instance.connection

    @property
    def query(self) -> Query:
        """The expression as something that can be run."""
        return Query(self.instance, self.node, self.values)

    def described(self) -> str:
        """Return a short text for messages: what it is, and what it is restricted by."""
        return super().described() + self.described_restriction()

    def described_restriction(self) -> str:
        """Return the restrictions for messages, or the values below the last operator; empty without."""
        given = self._restrictions or self.values
        shown = [_brief(item) for item in given[:_SHOWN]] + ["…"] * (len(given) > _SHOWN)
        return f" restricted by {' and '.join(shown)}" if shown else ""

    # ---- restriction --------------------------------------------------------------------------------

    def _restricted(self, node: Node, values: Values, unmatched: tuple[str, ...]) -> Self:
        """Return this expression with another structure; a table stays a table."""
        restricted = object.__new__(type(self))
        restricted._instance = self.instance
        restricted._node = node
        restricted._values = values
        restricted._unmatched = self._unmatched + unmatched
        restricted._restrictions = self._restrictions
        return restricted

    @staticmethod
    def noted(instance: Instance, node: Node, source: Expression) -> QueryExpression:
        """Return a query made of another expression; its restrictions without effect stay on record."""
        made = QueryExpression(instance, node, source.values)
        made._unmatched = source.unmatched
        return made

    def _derived(self, node: Node, values: Values, *others: Expression) -> QueryExpression:
        """Return a query made of this expression and others; restrictions without effect stay on record."""
        derived = QueryExpression(self.instance, node, values)
        derived._unmatched = self._unmatched + tuple(name for other in others for name in other.unmatched)
        return derived

    def _noting(self, given: object) -> Self:
        """Note how this expression was restricted, for messages and `restriction`."""
        self._restrictions = (*self._restrictions, given)
        return self

    @either
    def restrict(self, restriction: object, semantic_check: bool = True) -> Any:
        """Return the rows for which `restriction` holds.

        Parameters
        ----------
        restriction
            A dict, a string of SQL, a sequence of conditions (any may hold), `AndList`, `Not`, `Top`,
            a boolean, a frame, or another expression (rows with a match).
        semantic_check
            Whether namesakes must have one lineage when it is an expression.

        Raises
        ------
        DataJointError
            If it is none of these, if a value does not fit its attribute, or if namesakes are not
            homologous: then it names both origins.
        """
        return self._narrowed(restriction, semantic_check=semantic_check)

    def _narrowed(self, restriction: object, *, semantic_check: bool = True) -> Self:
        if type(restriction) is dict:  # by far the most frequent
            given = cast(dict[object, object], restriction)
            quick = restricted_by_dict(self.node, given)
            if quick is not None:
                return self._restricted(quick[0], self._values + quick[1], ())._noting(given)
            restriction = given
        if isinstance(restriction, Top):
            return self._topped(restriction)
        read = read_restriction(self.heading, restriction, semantic_check=semantic_check, restricted=self)
        return self._with(restriction, read.condition, read.values, read.unmatched)

    def _with(self, given: object, condition: Condition, values: Values, unmatched: tuple[str, ...]) -> Self:
        if condition == TRUE:
            return self._restricted(self.node, self.values, unmatched) if unmatched else self
        node = nodes.restrict(self.node, condition)
        return self._restricted(node, self.values + values, unmatched)._noting(given)

    def _topped(self, top: Top) -> Self:
        order = () if top.order_by is None else read_order(self.heading, top.order_by)
        order = order or handed_on(self.node) or read_order(self.heading, "KEY")
        node = nodes.limit(self.node, order)
        return self._restricted(node, (*self.values, top.limit, top.offset), ())._noting(top)

    @either
    def restrict_in_place(self, restriction: object) -> Any:
        """Restrict this very object, and return it."""
        restricted = self.restrict(restriction)
        self._node, self._values = restricted.node, restricted.values
        self._unmatched, self._restrictions = restricted.unmatched, tuple(restricted.restriction)
        return self

    def __and__(self, restriction: object) -> Self:
        return self._narrowed(restriction)

    def __sub__(self, restriction: object) -> Self:
        if isinstance(restriction, Top):
            raise DataJointError("`- Top(…)` has no meaning; restrict with `& Top(…)`")
        read = read_restriction(self.heading, restriction, restricted=self)
        condition = read.condition
        negated = Constant(not condition.value) if isinstance(condition, Constant) else Not(condition)
        return self._with(Negation(restriction), negated, read.values, read.unmatched)

    def __neg__(self) -> Negation:
        return Negation(self)

    def __contains__(self, item: object) -> bool:
        return bool(self & item)

    # ---- joins --------------------------------------------------------------------------------------

    def _other(self, other: object, operation: str) -> Expression:
        """Return the other operand.

        Raises
        ------
        DataJointError
            If it is no relation, or lives in another database.
        """
        if isinstance(other, UniversalSet):
            raise DataJointError(
                f"cannot {operation} with U(…): it would be infinite; choose attributes with table.proj(…), "
                "or group with U(…).aggr(table, …)"
            )
        if not isinstance(other, Expression):
            raise DataJointError(f"cannot {operation} with {other!r}: it is no table or query")
        if not same_database(other.instance, self.instance):
            raise DataJointError(f"cannot {operation} tables of two databases; fetch one of them first")
        return other

    def _shared(
        self, other: Expression, operation: str = "join", *, semantic_check: bool = True
    ) -> tuple[str, ...]:
        itself = other.node is self.node and other.values == self.values
        return shared_attributes(
            self.heading,
            other.node.heading,
            operation=operation,
            semantic_check=semantic_check,
            itself=itself,
        )

    def __mul__(self, other: object) -> QueryExpression:
        return self.join(other)

    @either
    def join(
        self,
        other: object,
        semantic_check: bool = True,
        left: bool = False,
        allow_nullable_pk: bool = False,
    ) -> QueryExpression:
        """Return the natural join.

        Parameters
        ----------
        other
            Another expression.
        semantic_check
            Whether namesakes must have one lineage.
        left
            Whether rows without a match stay, with nulls; then the key of `other` must lie within this
            expression's attributes, unless `allow_nullable_pk`.

        Raises
        ------
        DataJointError
            If namesakes are not homologous, which names both origins, or a left join would leave part of
            the key null.
        """
        given = self._other(other, "join")
        shared = self._shared(given, semantic_check=semantic_check)
        key = given.node.heading.primary_key
        if left and not allow_nullable_pk and not all(name in self.heading for name in key):
            missing = ", ".join(name for name in key if name not in self.heading)
            raise DataJointError(
                f"a left join would leave {missing} null in the primary key: its right side must be determined "
                "by the left; swap the two, or use an inner join"
            )
        node = nodes.join(self.node, given.node, shared, left=left)
        return self._derived(node, self.values + given.values, given)

    @either
    def extend(self, other: object, semantic_check: bool = True) -> QueryExpression:
        """Return every row with the attributes of the one row of `other` that it determines, or nulls."""
        return self.join(other, semantic_check=semantic_check, left=True)

    def __add__(self, other: object) -> QueryExpression:
        given = self._other(other, "add")
        mine, theirs = self.heading, given.node.heading
        if set(mine.primary_key) != set(theirs.primary_key):
            raise DataJointError(
                f"the operands of + need one primary key, and they are ({', '.join(mine.primary_key)}) and "
                f"({', '.join(theirs.primary_key)}); rename with .proj(new='old')"
            )
        common = [name for name in mine.secondary if name in theirs]
        if common:
            raise DataJointError(
                f"the operands of + both have the secondary attribute {common[0]!r}; "
                "leave it out of one with .proj(…)"
            )
        if mine.secondary or theirs.secondary:
            self._shared(given)
        return self._derived(nodes.union(self.node, given.node), self.values + given.values, given)

    # ---- projection ---------------------------------------------------------------------------------

    @either
    def proj(self, *attributes: str | EllipsisType, **named: str) -> QueryExpression:
        """Return chosen, renamed and computed attributes; the primary key always stays.

        Parameters
        ----------
        *attributes
            Names to keep; ``...`` for all, ``'-name'`` for all but that one.
        **named
            ``new='old'`` renames, ``new='(old)'`` copies, ``new='meta.probe.depth:float64'`` reads from
            inside a JSON attribute, ``new='SQL'`` computes.

        Raises
        ------
        DataJointError
            For unknown attributes, an excluded key attribute, or a name given twice.
        """
        kept = read_projection(self.heading, attributes, named)
        return self._derived(nodes.project(self.node, kept), self.values)

    @either
    def aggr(
        self,
        group: object,
        *attributes: str | EllipsisType,
        exclude_nonmatching: bool = False,
        **named: str,
    ) -> QueryExpression:
        """Return each row with values computed over its matching rows of `group`.

        Parameters
        ----------
        group
            The expression whose rows are aggregated; it must have this expression's primary key.
        *attributes
            Attributes of this expression to keep besides its primary key.
        exclude_nonmatching
            Whether rows without a match are left out. Otherwise they meet one row of nulls: count an
            attribute of `group`, not ``*``, to see zero for them.
        **named
            Aggregates in SQL, ``n='count(trial_idx)'``.
        """
        given = self._other(group, "aggregate")
        missing = [name for name in self.heading.primary_key if name not in given.node.heading]
        if missing:
            raise DataJointError(
                f"aggr: the grouped query must have the whole primary key, and it has no {', '.join(missing)}"
            )
        shared = self._shared(given, "aggregate")
        kept = read_aggregation(self.heading, attributes, named)
        node = nodes.aggregate(self.node, given.node, shared, kept, drop_unmatched=exclude_nonmatching)
        return self._derived(node, self.values + given.values, given)

    aggregate = aggr


_SHOWN = 8
"""How many restrictions a message tells."""


def _brief(item: object) -> str:
    text = item.described() if isinstance(item, QueryExpression) else repr(item)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"


_LONG = 200
