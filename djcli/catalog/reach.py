"""Reach: the ways along foreign keys from rows of one table to those of its ancestors or descendants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from djcli.catalog.graph import Edge, Graph
from djcli.definition.model import TableId

_MANY_WAYS = 8
"""More ways than these to one table are told by way of the table before it."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Link:
    """One way from rows of a table to rows of another: equal values lead there.

    Attributes
    ----------
    anchor
        The table that it starts from: the first of all, or one that is reached itself.
    columns
        Pairs of the reached table's attribute and the anchor's.
    nullable
        Whether attributes of the foreign key may be NULL, so that a row may refer to nothing.
    """

    anchor: TableId
    columns: Pairs
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What rows of one table lead to.

    Attributes
    ----------
    source
        The table of the rows.
    links
        The tables that they lead to, nearest first, with the ways there; a row is reached that any way leads to.
        The source is among them, without a way.
    loops
        The references of tables to themselves, which are followed as far as they lead: pairs of the attribute
        of the row reached and of the one before it.
    """

    source: TableId
    links: Mapping[TableId, tuple[Link, ...]]
    loops: Mapping[TableId, tuple[Pairs, ...]]


def reach_up(graph: Graph, source: TableId) -> Reach:
    """Return the ways to the rows that rows of a table depend on.

    Where the attributes of the table in between are known from the anchor, it is left out: what a trial says of
    its session's key is enough to find the subject.

    Raises
    ------
    MissingTableError
        If the graph does not hold the table.
    DataJointError
        If the tables depend on each other in a circle.
    """
    order = graph.ancestors(source)[::-1]

    def hops(table: TableId) -> list[tuple[TableId, Link, Edge]]:
        return [
            (edge.child, Link(edge.child, _turned(edge), edge.foreign_key.nullable), edge)
            for edge in graph.children(table)
            if edge.child in order
        ]

    def through(link: Link, edge: Edge) -> Link | None:
        known = dict(link.columns)
        used = edge.foreign_key.attributes
        # A key that is NULL in part refers to nothing, so that none of its attributes may be forgotten.
        if not known.keys() >= set(used) or (link.nullable and known.keys() != set(used)):
            return None
        columns = tuple((theirs, known[own]) for own, theirs in edge.foreign_key.columns)
        return Link(link.anchor, columns, link.nullable)

    return _reach(order, hops, through)


def reach_down(graph: Graph, source: TableId) -> Reach:
    """Return the ways to the rows that depend on rows of a table; see `reach_up`."""
    order = graph.descendants(source)

    def hops(table: TableId) -> list[tuple[TableId, Link, Edge]]:
        return [
            (edge.parent, Link(edge.parent, edge.foreign_key.columns, edge.foreign_key.nullable), edge)
            for edge in graph.parents(table)
            if edge.parent in order
        ]

    def through(link: Link, edge: Edge) -> Link | None:
        known = dict(_turned(edge))
        wanted = {own for own, _ in link.columns}
        if not known.keys() >= wanted or (edge.foreign_key.nullable and known.keys() != wanted):
            return None
        columns = tuple((known[own], theirs) for own, theirs in link.columns)
        return Link(link.anchor, columns, edge.foreign_key.nullable)

    return _reach(order, hops, through)


def _reach(
    order: tuple[TableId, ...],
    hops: Callable[[TableId], list[tuple[TableId, Link, Edge]]],
    through: Callable[[Link, Edge], Link | None],
) -> Reach:
    links: dict[TableId, tuple[Link, ...]] = {order[0]: ()}
    loops: dict[TableId, tuple[Pairs, ...]] = {}
    for table in order:
        found: dict[Link, None] = {}
        for before, hop, edge in hops(table):
            if before == table:
                loops[table] = (*loops.get(table, ()), hop.columns)
                continue
            short = [through(link, edge) for link in links[before]] if before not in loops else [None]
            ways = [link for link in short if link is not None]
            if not ways or len(ways) < len(short) or len(ways) > _MANY_WAYS:
                ways = [hop]
            found.update(dict.fromkeys(ways))
        if table != order[0]:
            links[table] = tuple(found)
    return Reach(order[0], links, loops)


def _turned(edge: Edge) -> Pairs:
    return tuple((theirs, own) for own, theirs in edge.foreign_key.columns)
