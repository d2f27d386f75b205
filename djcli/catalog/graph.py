"""The graph of foreign keys between tables: neighbours, ancestry, parts and order of dependency."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.errors import DataJointError, MissingTableError
from djcli.names import did_you_mean, split_table_name


@dataclass(frozen=True, slots=True)
class Edge:
    """One foreign key; two tables may share several.

    Attributes
    ----------
    parent, child
        The table referred to and the table that refers.
    foreign_key
        The foreign key of the child.
    """

    parent: TableId
    child: TableId
    foreign_key: ForeignKey


class Graph:
    """The tables and their foreign keys; immutable.

    Parameters
    ----------
    models
        The tables in declaration order, which breaks all ties of order. A parent that has no model
        among them is a node all the same, after the others.
    """

    def __init__(self, models: Iterable[TableModel]) -> None:
        self._models = {model.id: model for model in models}
        self._edges = tuple(
            Edge(key.parent, model.id, key) for model in self._models.values() for key in model.foreign_keys
        )
        self._parents: dict[TableId, list[Edge]] = {table: [] for table in self._models}
        self._children: dict[TableId, list[Edge]] = {table: [] for table in self._models}
        for edge in self._edges:
            self._parents.setdefault(edge.parent, [])
            self._parents[edge.child].append(edge)
            self._children.setdefault(edge.parent, []).append(edge)
        self._nodes = tuple(self._parents)

    @property
    def nodes(self) -> tuple[TableId, ...]:
        """All tables, in declaration order."""
        return self._nodes

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All foreign keys, in declaration order of the children."""
        return self._edges

    @property
    def models(self) -> Mapping[TableId, TableModel]:
        """The models of those tables that have one."""
        return MappingProxyType(self._models)

    def __contains__(self, table: object) -> bool:
        """Tell whether the graph holds a table."""
        return table in self._parents

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self._nodes)

    def parents(self, table: TableId, primary: bool | None = None) -> tuple[Edge, ...]:
        """Return the edges to a table's parents, in the order of its foreign keys.

        Parameters
        ----------
        table
            The child.
        primary
            True for the foreign keys within the primary key only, False for the secondary ones only.

        Raises
        ------
        MissingTableError
            If the graph does not hold the table.
        """
        self._check(table)
        return _select(self._parents[table], primary)

    def children(self, table: TableId, primary: bool | None = None) -> tuple[Edge, ...]:
        """Return the edges to a table's children, in declaration order; see `parents`."""
        self._check(table)
        return _select(self._children[table], primary)

    def ancestors(self, table: TableId) -> tuple[TableId, ...]:
        """Return all tables that a table depends on, parents first, and last the table itself.

        Raises
        ------
        MissingTableError
            If the graph does not hold the table.
        DataJointError
            If the tables depend on each other in a circle.
        """
        return self.topological_order(self.around([table], ancestors=None))

    def descendants(self, table: TableId) -> tuple[TableId, ...]:
        """Return the table itself, then all tables that depend on it, parents first; see `ancestors`."""
        self._check(table)
        return self.topological_order(self.around([table], descendants=None))

    def around(
        self, tables: Iterable[TableId], *, ancestors: int | None = 0, descendants: int | None = 0
    ) -> set[TableId]:
        """Return tables with those they depend on and those that depend on them.

        Parameters
        ----------
        tables
            Where to start.
        ancestors, descendants
            How many generations; None for all.

        Raises
        ------
        MissingTableError
            If the graph does not hold one of the tables.
        """
        start = set(tables)
        for table in start:
            self._check(table)
        return _reach(start, lambda node: [edge.parent for edge in self._parents[node]], ancestors) | _reach(
            start, lambda node: [edge.child for edge in self._children[node]], descendants
        )

    def parts(self, master: TableId) -> tuple[TableId, ...]:
        """Return the parts of a master, by their names, in declaration order."""
        return tuple(self._parts.get(master, ()))

    def master(self, table: TableId) -> TableId | None:
        """Return the master of a part, by its name; None when the graph holds no such master."""
        return self._masters.get(table)

    def topological_order(
        self, among: Iterable[TableId] | None = None, *, strict: bool = True
    ) -> tuple[TableId, ...]:
        """Return tables so that each comes after all it depends on, whether directly or through others.

        A parent that is declared too late moves to before its first child; else the declaration order
        stays. Parts follow their master directly, unless a table between them depends on the master and a
        part depends on that table. A table's reference to itself does not count.

        Parameters
        ----------
        among
            The tables to order; by default all.
        strict
            Whether tables in a circle are an error; without, one of its foreign keys, always the same, does
            not count.

        Raises
        ------
        MissingTableError
            If the graph does not hold one of the tables.
        DataJointError
            If two or more of the tables depend on each other in a circle.
        """
        rank, cycles = self._order
        if among is None:
            chosen = set(self._nodes)
        else:
            chosen = set(among)
            for table in chosen:
                self._check(table)
        for cycle in cycles if strict else ():
            if len(chosen.intersection(cycle)) > 1:
                circle = " -> ".join(str(table) for table in (*cycle, cycle[0]))
                raise DataJointError(
                    f"foreign keys go in a circle, so there is no order of tables: {circle}; remove one"
                )
        return tuple(sorted(chosen, key=rank.__getitem__))

    def _check(self, table: TableId) -> None:
        if table not in self._parents:
            hint = did_you_mean(str(table), (str(node) for node in self._nodes))
            raise MissingTableError(f"table {table} is not in the graph of known tables{hint}")

    @cached_property
    def _masters(self) -> dict[TableId, TableId]:
        masters: dict[TableId, TableId] = {}
        for table in self._nodes:
            split = split_table_name(table.name)
            if split is not None and split[2] is not None:
                master = TableId(table.schema, split[2])
                if master in self._parents:
                    masters[table] = master
        return masters

    @cached_property
    def _parts(self) -> dict[TableId, list[TableId]]:
        parts: dict[TableId, list[TableId]] = {}
        for part, master in self._masters.items():
            parts.setdefault(master, []).append(part)
        return parts

    @cached_property
    def _order(self) -> tuple[dict[TableId, int], list[list[TableId]]]:
        """The place of each table in the order of all, and the circles that had to be cut for it."""
        unit = {table: self._masters.get(table, table) for table in self._nodes}
        while True:
            order, cycles = self._walk_units(unit)
            free = {part for cycle in cycles for part in self._parts_between(cycle, unit)}
            if not free:
                break
            unit.update((part, part) for part in free)
        rank: dict[TableId, int] = {}
        for head in order:
            members = [head, *(part for part in self._parts.get(head, ()) if unit[part] == head)]
            tables, inner = self._walk_members(members)
            cycles.extend(inner)
            for table in tables:
                rank[table] = len(rank)
        return rank, cycles

    def _walk_members(self, members: list[TableId]) -> tuple[list[TableId], list[list[TableId]]]:
        """Order a master and its parts, which may refer to each other."""
        inside = set(members)

        def parents(node: TableId) -> list[TableId]:
            above = (edge.parent for edge in self._parents[node])
            return [parent for parent in above if parent in inside and parent != node]

        return _walk(members, parents)

    def _walk_units(self, unit: Mapping[TableId, TableId]) -> tuple[list[TableId], list[list[TableId]]]:
        """Order the units: a master with those parts that can follow it directly."""
        parents: dict[TableId, list[TableId]] = {head: [] for head in unit.values()}
        for edge in self._edges:
            above, below = unit[edge.parent], unit[edge.child]
            if above != below:
                parents[below].append(above)
        return _walk(parents, parents.__getitem__)

    def _parts_between(self, cycle: list[TableId], unit: Mapping[TableId, TableId]) -> list[TableId]:
        """Return the parts in a circle of units that cannot follow their masters directly."""
        heads = set(cycle)
        edges = [
            edge
            for head in cycle
            for child in (head, *self._parts.get(head, ()))
            if unit[child] == head
            for edge in self._parents[child]
            if unit[edge.parent] in heads and unit[edge.parent] != head
        ]
        return [edge.child for edge in edges if unit[edge.child] != edge.child] or [
            edge.parent for edge in edges if unit[edge.parent] != edge.parent
        ]


def _select(edges: list[Edge], primary: bool | None) -> tuple[Edge, ...]:
    return tuple(edge for edge in edges if primary is None or edge.foreign_key.in_key == primary)


def _reach(
    start: set[TableId], neighbours: Callable[[TableId], Iterable[TableId]], generations: int | None
) -> set[TableId]:
    found, newest = set(start), start
    while newest and generations != 0:
        newest = {near for node in newest for near in neighbours(node)} - found
        found |= newest
        generations = None if generations is None else generations - 1
    return found


def _walk(
    nodes: Iterable[TableId], parents: Callable[[TableId], Iterable[TableId]]
) -> tuple[list[TableId], list[list[TableId]]]:
    """List the nodes, each after its parents; and the circles met, each cut where it closed."""
    order: list[TableId] = []
    cycles: list[list[TableId]] = []
    done: set[TableId] = set()
    for start in nodes:
        if start in done:
            continue
        path = {start: iter(parents(start))}
        while path:
            node, pending = next(reversed(path.items()))
            parent = next(pending, None)
            if parent is None:
                path.popitem()
                done.add(node)
                order.append(node)
            elif parent in path:
                trail = list(path)
                cycles.append(trail[trail.index(parent) :])
            elif parent not in done:
                path[parent] = iter(parents(parent))
    return order, cycles
