"""Conditions of a restriction: frozen, and free of values.

A condition names attributes and holds as many *slots* as it needs values; the values travel beside it,
in slot order. So ``Session & key`` is one structure for every key, whose SQL is compiled once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from djcli.algebra.relation import Node
from djcli.definition.model import TableId

OPERATORS = ("=", "!=", "<=", ">=", "<", ">")
"""The comparisons that a restriction knows."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A predicate over the rows of a relation."""

    @property
    def n_slots(self) -> int:
        """How many values belong to the condition."""
        return 0

    @property
    def names(self) -> frozenset[str]:
        """The attributes that it mentions, as far as they are known without reading SQL."""
        return frozenset()

    @property
    def has_raw(self) -> bool:
        """Whether the user's own SQL is part of it."""
        return False

    @property
    def tables(self) -> frozenset[TableId]:
        """The tables that it reads."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Constant(Condition):
    """Always true, or always false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Compare(Condition):
    """``name operator value``; one slot."""

    name: str
    operator: str = "="

    @property
    def n_slots(self) -> int:
        """One value."""
        return 1

    @property
    def names(self) -> frozenset[str]:
        """The attribute compared."""
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True)
class IsNull(Condition):
    """``name IS NULL``."""

    name: str

    @property
    def names(self) -> frozenset[str]:
        """The attribute tested."""
        return frozenset((self.name,))


@dataclass(frozen=True, slots=True)
class Among(Condition):
    """The tuple of the named attributes is one of a list; one slot an attribute, each a list of values."""

    columns: tuple[str, ...]

    @property
    def n_slots(self) -> int:
        """One list an attribute."""
        return len(self.columns)

    @property
    def names(self) -> frozenset[str]:
        """The attributes compared."""
        return frozenset(self.columns)


@dataclass(frozen=True, slots=True)
class Raw(Condition):
    """The user's own SQL, passed through untouched."""

    text: str

    @property
    def has_raw(self) -> bool:
        """Yes: it is the user's own."""
        return True


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The rows for which `item` is not true."""

    item: Condition

    @property
    def n_slots(self) -> int:
        """Those of the negated condition."""
        return self.item.n_slots

    @property
    def names(self) -> frozenset[str]:
        """Those of the negated condition."""
        return self.item.names

    @property
    def has_raw(self) -> bool:
        """As the negated condition."""
        return self.item.has_raw

    @property
    def tables(self) -> frozenset[TableId]:
        """Those of the negated condition."""
        return self.item.tables


@dataclass(frozen=True, slots=True)
class _Many(Condition):
    items: tuple[Condition, ...]

    @property
    def n_slots(self) -> int:
        """The sum over the items."""
        return sum(item.n_slots for item in self.items)

    @property
    def names(self) -> frozenset[str]:
        """The union over the items."""
        return frozenset[str]().union(*(item.names for item in self.items))

    @property
    def has_raw(self) -> bool:
        """Whether any item has."""
        return any(item.has_raw for item in self.items)

    @property
    def tables(self) -> frozenset[TableId]:
        """The union over the items."""
        return frozenset[TableId]().union(*(item.tables for item in self.items))


@dataclass(frozen=True, slots=True)
class All(_Many):
    """Every item holds."""


@dataclass(frozen=True, slots=True)
class Any(_Many):
    """At least one item holds."""


@dataclass(frozen=True, slots=True)
class Matches(Condition):
    """The other relation has a row with equal values of the shared attributes; its slots are the node's."""

    node: Node
    shared: tuple[str, ...]

    @property
    def n_slots(self) -> int:
        """Those of the other relation."""
        return self.node.n_slots

    @property
    def names(self) -> frozenset[str]:
        """The shared attributes."""
        return frozenset(self.shared)

    @property
    def tables(self) -> frozenset[TableId]:
        """Those of the other relation."""
        return self.node.tables


def all_of(items: Iterable[Condition]) -> Condition:
    """Return the conjunction, simplified: no item is True, one item is itself."""
    kept = tuple(item for item in items if item != Constant(value=True))
    if not kept:
        return Constant(value=True)
    return kept[0] if len(kept) == 1 else All(kept)
