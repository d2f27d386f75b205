"""`Closure` and `Merged`: keys of rows that are reached step by step, or in any of several ways."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from djcli.algebra.heading import Heading
from djcli.algebra.nodes import Base
from djcli.algebra.relation import Node

Step = tuple[tuple[str, str], ...]
"""The way from one row to the next: pairs of the next row's attribute and of the one before it."""


@dataclass(frozen=True, eq=False)
class Closure(Node):
    """The rows of `source`, and those of its table that they lead to step by step, to the end.

    Attributes
    ----------
    source
        Attributes of chosen rows of the table.
    table
        The table.
    steps
        The ways from one row to the next.
    """

    source: Node
    table: Base
    steps: tuple[Step, ...]

    @cached_property
    def heading(self) -> Heading:
        """That of the source."""
        return self.source.heading

    @property
    def sources(self) -> tuple[Node, ...]:
        """The rows to start from."""
        return (self.source,)


@lru_cache(maxsize=1024)
def closure(source: Node, table: Base, steps: tuple[Step, ...]) -> Closure:
    """Return rows of a table with all that its references to itself lead to."""
    return Closure(source, table, steps)


@dataclass(frozen=True, eq=False)
class Merged(Node):
    """The distinct rows of several relations that have the same attributes."""

    parts: tuple[Node, ...]

    @cached_property
    def heading(self) -> Heading:
        """That of the first, all of it the key."""
        first = self.parts[0].heading
        return Heading(tuple(attribute.evolve(in_key=True) for attribute in first))

    @property
    def sources(self) -> tuple[Node, ...]:
        """The relations."""
        return self.parts


@lru_cache(maxsize=1024)
def merged(parts: tuple[Node, ...]) -> Merged:
    """Return the distinct rows of several relations."""
    return Merged(parts)
