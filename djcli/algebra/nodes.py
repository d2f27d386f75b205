"""The nodes of a relational expression, each kind with its heading, and the functions that build them.

A node is the *structure* of an expression; its values travel beside it, in the order of the node's slots
(those of its first source, then of its second, then its own). Equal structures are one object, so their
headings and their SQL are worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ParamSpec, TypeVar

from djcli.algebra.conditions import Condition
from djcli.algebra.heading import COMPUTED, Heading, HeadingAttribute, Origin
from djcli.algebra.paths import Path
from djcli.algebra.relation import Node
from djcli.algebra.words import words
from djcli.definition.model import TableId, TableModel
from djcli.definition.types import parse_type

TEXT = parse_type("text")
"""The type of a value inside JSON that is read without a cast."""

P = ParamSpec("P")
N = TypeVar("N", bound="Node")


def _interned(make: Callable[P, N]) -> Callable[P, N]:
    return lru_cache(maxsize=4096)(make)  # pyright: ignore[reportReturnType] - lru_cache loses the signature


@dataclass(frozen=True, eq=False)
class Base(Node):
    """A table of the database."""

    model: TableModel

    @cached_property
    def heading(self) -> Heading:
        """That of the table."""
        return Heading.of_table(self.model)

    @cached_property
    def tables(self) -> frozenset[TableId]:
        """The table itself."""
        return frozenset((self.model.id,))


@dataclass(frozen=True, eq=False)
class Restrict(Node):
    """The rows of `source` for which `condition` holds."""

    source: Node
    condition: Condition

    @cached_property
    def heading(self) -> Heading:
        """That of the source."""
        return self.source.heading

    @property
    def sources(self) -> tuple[Node, ...]:
        """The restricted relation."""
        return (self.source,)

    @cached_property
    def own_slots(self) -> int:
        """The condition's."""
        return self.condition.n_slots

    @cached_property
    def tables(self) -> frozenset[TableId]:
        """Those of the source and of the condition."""
        return self.source.tables | self.condition.tables

    @property
    def own_stray_words(self) -> frozenset[str]:
        """The condition's."""
        return self.condition.stray_words(self.source.heading.by_name)


@dataclass(frozen=True, slots=True)
class Column:
    """An attribute of a projection that is read from attribute `source`."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class Computed:
    """An attribute of a projection that the user's own SQL computes."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Reached:
    """An attribute of a projection that is read from inside a JSON attribute."""

    name: str
    path: Path


AnyColumn = Column | Computed | Reached


@dataclass(frozen=True, eq=False)
class Project(Node):
    """Attributes of `source` kept, renamed or computed; every row stays one row."""

    source: Node
    columns: tuple[AnyColumn, ...]

    @cached_property
    def heading(self) -> Heading:
        """The projected attributes."""
        old = self.source.heading
        attributes: list[HeadingAttribute] = []
        for column in self.columns:
            match column:
                case Column():
                    attributes.append(old[column.source].evolve(name=column.name))
                case Computed():
                    attributes.append(_computed(column, self.source))
                case Reached():
                    attributes.append(_reached(column, self.source))
        return _key_first(attributes)

    @property
    def sources(self) -> tuple[Node, ...]:
        """The projected relation."""
        return (self.source,)

    @property
    def own_stray_words(self) -> frozenset[str]:
        """Those of the computed attributes."""
        return spoken(self.columns).difference(self.source.heading.by_name)


@dataclass(frozen=True, eq=False)
class Join(Node):
    """The natural join over the shared attributes.

    Attributes
    ----------
    shared
        The attributes compared, in the left heading's order.
    left
        Whether every row of the first relation stays, with NULLs where the second has none.
    """

    first: Node
    second: Node
    shared: tuple[str, ...]
    left: bool = False

    @cached_property
    def heading(self) -> Heading:
        """Both headings; its key by functional dependency.

        A determines B when B's primary key lies within A's attributes; then the key is A's, or B's the
        other way round, or else the union of both.
        """
        a, b = self.first.heading, self.second.heading
        if all(name in a for name in b.primary_key):
            key = a.primary_key
        elif not self.left and all(name in b for name in a.primary_key):
            a, b, key = b, a, b.primary_key
        else:
            key = tuple(dict.fromkeys(a.primary_key + b.primary_key))
        merged = {attribute.name: attribute for attribute in a}
        for attribute in b:
            if attribute.name not in merged:
                merged[attribute.name] = attribute.evolve(nullable=attribute.nullable or self.left)
        ordered = [merged[name].evolve(in_key=True) for name in key]
        ordered += [m.evolve(in_key=False) for name, m in merged.items() if name not in key]
        return Heading(tuple(ordered))

    @property
    def sources(self) -> tuple[Node, ...]:
        """Both relations."""
        return (self.first, self.second)


@dataclass(frozen=True, eq=False)
class Aggregate(Node):
    """Each row of `source` with values computed over its matching rows of `group`.

    Attributes
    ----------
    shared
        The attributes that match the two.
    columns
        The attributes kept of `source`, then those computed.
    drop_unmatched
        Whether rows of `source` without a match disappear.
    """

    source: Node
    group: Node
    shared: tuple[str, ...]
    columns: tuple[Column | Computed, ...]
    drop_unmatched: bool = False

    @cached_property
    def heading(self) -> Heading:
        """The kept attributes and the computed ones."""
        old = self.source.heading
        return _key_first(
            [
                old[c.source].evolve(name=c.name) if isinstance(c, Column) else _computed(c, self)
                for c in self.columns
            ]
        )

    @property
    def sources(self) -> tuple[Node, ...]:
        """The grouping relation, then the grouped one."""
        return (self.source, self.group)

    @property
    def own_stray_words(self) -> frozenset[str]:
        """Those of the computed attributes, which name attributes of both relations."""
        known = self.source.heading.by_name.keys() | self.group.heading.by_name.keys()
        return spoken(self.columns).difference(known)


@dataclass(frozen=True, eq=False)
class Group(Node):
    """One row for each distinct value of the `by` attributes, with computed values; ``dj.U(…).aggr``.

    Without computed values it is the distinct projection, ``dj.U(…) & table``.
    """

    source: Node
    by: tuple[str, ...]
    computed: tuple[Computed, ...] = ()

    @cached_property
    def heading(self) -> Heading:
        """The grouping attributes as the key, then the computed ones."""
        old = self.source.heading
        attributes = [old[name].evolve(in_key=True) for name in self.by]
        return Heading((*attributes, *(_computed(c, self) for c in self.computed)))

    @property
    def sources(self) -> tuple[Node, ...]:
        """The grouped relation."""
        return (self.source,)

    @property
    def own_stray_words(self) -> frozenset[str]:
        """Those of the computed attributes."""
        return spoken(self.computed).difference(self.source.heading.by_name)


@dataclass(frozen=True, eq=False)
class Union(Node):
    """The rows of both relations, which have one primary key; each brings its own secondary attributes."""

    first: Node
    second: Node

    @cached_property
    def heading(self) -> Heading:
        """The key, then the secondary attributes of both, any of which may be null."""
        a, b = self.first.heading, self.second.heading
        secondary = [x for heading in (a, b) for x in heading if not x.in_key]
        return Heading((*(x for x in a if x.in_key), *(x.evolve(nullable=True) for x in secondary)))

    @property
    def sources(self) -> tuple[Node, ...]:
        """Both relations."""
        return (self.first, self.second)


@dataclass(frozen=True, slots=True)
class Order:
    """One term of an ordering."""

    name: str
    descending: bool = False


@dataclass(frozen=True, eq=False)
class Limit(Node):
    """The first rows of `source` in an order; ``dj.Top``. Its slots are limit and offset."""

    source: Node
    order: tuple[Order, ...]

    @cached_property
    def heading(self) -> Heading:
        """That of the source."""
        return self.source.heading

    @property
    def sources(self) -> tuple[Node, ...]:
        """The limited relation."""
        return (self.source,)

    @cached_property
    def own_slots(self) -> int:
        """Limit and offset."""
        return 2


def spoken(columns: Iterable[AnyColumn]) -> frozenset[str]:
    """Return the words of the columns that the user's own SQL computes."""
    return frozenset[str]().union(*(words(c.text) for c in columns if isinstance(c, Computed)))


def _computed(column: Computed, node: Node) -> HeadingAttribute:
    # The origin names the node, so that a computed attribute is homologous with itself alone. Aggregates of
    # a node with values have none: one structure, `s.aggr(t & {'x': …}, n=…)`, is a different n for each x.
    if isinstance(node, (Aggregate, Group)):
        # (its own heading is just being made)
        is_own, source = not node.n_slots, node.sources[0].heading
        key = tuple(
            source[name].lineage for name in (node.by if isinstance(node, Group) else source.primary_key)
        )
    else:
        is_own, key = all(a.origin is not None for a in node.heading), node.heading.key_lineages
    origin = Origin(node, column.text, key) if is_own else None
    return HeadingAttribute(name=column.name, type=COMPUTED, nullable=True, origin=origin)


def _reached(column: Reached, node: Node) -> HeadingAttribute:
    kind = TEXT if column.path.cast is None else column.path.cast
    return HeadingAttribute(
        name=column.name,
        type=kind,
        nullable=True,
        origin=Origin(node, column.path, node.heading.key_lineages),
    )


def _key_first(attributes: list[HeadingAttribute]) -> Heading:
    return Heading(tuple(sorted(attributes, key=lambda a: not a.in_key)))


@_interned
def base(model: TableModel) -> Base:
    """Return the node of a table."""
    return Base(model)


@_interned
def restrict(source: Node, condition: Condition) -> Restrict:
    """Return `source` restricted."""
    return Restrict(source, condition)


@_interned
def project(source: Node, columns: tuple[AnyColumn, ...]) -> Project:
    """Return `source` projected."""
    return Project(source, columns)


@_interned
def join(first: Node, second: Node, shared: tuple[str, ...], *, left: bool = False) -> Join:
    """Return the natural join."""
    return Join(first, second, shared, left)


@_interned
def aggregate(
    source: Node,
    group: Node,
    shared: tuple[str, ...],
    columns: tuple[Column | Computed, ...],
    *,
    drop_unmatched: bool = False,
) -> Aggregate:
    """Return the aggregation of `group` over the rows of `source`."""
    return Aggregate(source, group, shared, columns, drop_unmatched)


@_interned
def group(source: Node, by: tuple[str, ...], computed: tuple[Computed, ...] = ()) -> Group:
    """Return the distinct values of attributes, with computed values."""
    return Group(source, by, computed)


@_interned
def union(first: Node, second: Node) -> Union:
    """Return the rows of both."""
    return Union(first, second)


@_interned
def limit(source: Node, order: tuple[Order, ...]) -> Limit:
    """Return the first rows of `source` in an order."""
    return Limit(source, order)
