"""Conditions of a restriction: frozen, and free of values.

A condition names attributes and holds as many *slots* as it needs values; the values travel beside it,
in slot order. So ``Session & key`` is one structure for every key, whose SQL is compiled once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from djcli.algebra.paths import Path
from djcli.algebra.relation import Node
from djcli.algebra.words import words
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
    def words(self) -> frozenset[str]:
        """The words of the user's own SQL that stand in the scope of the restricted relation."""
        return frozenset()

    def stray_words(self, known: Collection[str]) -> frozenset[str]:
        """Return the words of the user's own SQL, at any depth, that are no attributes where they stand.

        `known` are the attributes of the restricted relation.
        """
        return self.words.difference(known)

    @property
    def tables(self) -> frozenset[TableId]:
        """The tables that it reads."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Constant(Condition):
    """Always true, or always false."""

    value: bool


TRUE = Constant(value=True)
FALSE = Constant(value=False)


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
class ComparePath(Condition):
    """``path operator value`` inside a JSON attribute; one slot.

    Attributes
    ----------
    as_json
        Whether the value is JSON, which knows numbers from texts; otherwise the path's cast decides.
    """

    path: Path
    operator: str = "="
    as_json: bool = False

    @property
    def n_slots(self) -> int:
        """One value."""
        return 1

    @property
    def names(self) -> frozenset[str]:
        """The JSON attribute."""
        return frozenset((self.path.name,))


@dataclass(frozen=True, slots=True)
class IsNullPath(Condition):
    """Inside a JSON attribute, ``path`` leads nowhere, or to null."""

    path: Path

    @property
    def names(self) -> frozenset[str]:
        """The JSON attribute."""
        return frozenset((self.path.name,))


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
    def words(self) -> frozenset[str]:
        """Every word of it."""
        return words(self.text)


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """``NOT item``, as SQL has it: where `item` is NULL, so is the negation."""

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
    def words(self) -> frozenset[str]:
        """Those of the negated condition."""
        return self.item.words

    def stray_words(self, known: Collection[str]) -> frozenset[str]:
        """Return those of the negated condition."""
        return self.item.stray_words(known)

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
    def words(self) -> frozenset[str]:
        """The union over the items."""
        return frozenset[str]().union(*(item.words for item in self.items))

    def stray_words(self, known: Collection[str]) -> frozenset[str]:
        """Return the union over the items."""
        return frozenset[str]().union(*(item.stray_words(known) for item in self.items))

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

    def stray_words(self, known: Collection[str]) -> frozenset[str]:  # noqa: ARG002 - it has a scope of its own
        """Return those of the other relation."""
        return self.node.stray_words

    @property
    def tables(self) -> frozenset[TableId]:
        """Those of the other relation."""
        return self.node.tables


def all_of(items: Iterable[Condition]) -> Condition:
    """Return the conjunction, simplified: no item is True, one item is itself."""
    kept = tuple(item for item in items if item != TRUE)
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else All(kept)
