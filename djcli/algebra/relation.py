"""What every node of a relational expression has: a heading, slots for values, and tables that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from djcli.algebra.heading import Heading
from djcli.definition.model import TableId


@dataclass(frozen=True, eq=False)
class Node:
    """A relation. Nodes are equal when they are the same object; `djcli.algebra.nodes` builds them."""

    @cached_property
    def heading(self) -> Heading:
        """The attributes of the relation."""
        raise NotImplementedError

    @property
    def sources(self) -> tuple[Node, ...]:
        """The relations that it is made of, in slot order."""
        return ()

    @cached_property
    def own_slots(self) -> int:
        """How many values the node itself holds, beyond its sources'."""
        return 0

    @cached_property
    def n_slots(self) -> int:
        """How many values the whole expression holds."""
        return sum(source.n_slots for source in self.sources) + self.own_slots

    @cached_property
    def tables(self) -> frozenset[TableId]:
        """Every table that the expression reads."""
        return frozenset[TableId]().union(*(source.tables for source in self.sources))

    @cached_property
    def stray_words(self) -> frozenset[str]:
        """The words of the user's own SQL, at any depth, that are no attributes where they stand.

        Keywords and names of functions, mistakes, and whatever else could be taken for a column that
        happens to be in sight.
        """
        return self.own_stray_words.union(*(source.stray_words for source in self.sources))

    @property
    def own_stray_words(self) -> frozenset[str]:
        """Those in the node's own SQL."""
        return frozenset()
