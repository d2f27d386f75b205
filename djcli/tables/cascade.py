"""The cascade: which rows of which tables depend on given rows, found inside the database.

No row is fetched: the keys of tables on which others depend go into temporary tables, each filled from those
it is reached from. Foreign keys that go in circles (a table's reference to itself, a part that takes its
master along) are followed in sweeps, each from the keys that the sweep before has added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Any

from djcli.algebra import nodes
from djcli.catalog.introspect import load
from djcli.catalog.snapshot import Catalog
from djcli.database.connection import Connection
from djcli.definition.model import ForeignKey, TableId
from djcli.errors import AccessError, MissingTableError
from djcli.sql import delete as statements
from djcli.sql.compile import compile_counts, compile_delete, compile_select
from djcli.sql.delete import KeySet
from djcli.sql.statement import parameters

_WORTH_ANALYZING = 1_000
"""Key sets of fewer rows are planned well without statistics."""

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Link:
    """One way that rows of a table come to depend on those of another.

    Attributes
    ----------
    source
        The table that it is reached from.
    columns
        Pairs of the dependent table's column and the source's.
    """

    source: TableId
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cascade:
    """The tables that a deletion reaches, and how.

    Attributes
    ----------
    root
        The table whose rows are given.
    links
        Each table, parents first, with the links that reach it.
    masters
        The foreign key of each part to its master.
    keys
        The key sets, of those tables that need one.
    """

    root: TableId
    links: Mapping[TableId, tuple[Link, ...]]
    masters: Mapping[TableId, ForeignKey]
    keys: Mapping[TableId, KeySet] = field(default_factory=dict[TableId, KeySet])

    @cached_property
    def rank(self) -> dict[TableId, int]:
        """The place of each table in the order."""
        return {table: place for place, table in enumerate(self.links)}

    @property
    def is_circular(self) -> bool:
        """Whether links lead back to a table before; a table's references to itself do not count."""
        return any(
            link.source != table and self.is_backward(table, link)
            for table, links in self.links.items()
            for link in links
        )

    def is_backward(self, table: TableId, link: Link) -> bool:
        """Whether a link leads from a table to itself or to one before it."""
        return self.rank[link.source] >= self.rank[table]


def plan_cascade(connection: Connection, root: TableId, *, with_masters: bool) -> Cascade:
    """Find the tables that a deletion reaches, whether this session has loaded their schemas or not.

    Parameters
    ----------
    connection
        The connection.
    root
        The table whose rows are to be deleted.
    with_masters
        Whether a row of a part takes its master's row along.

    Raises
    ------
    MissingTableError
        If the database does not have the table.
    """
    schemas = {root.schema}
    while True:
        catalog = load(connection, sorted(schemas), downstream=True)
        if root not in catalog.tables:
            raise MissingTableError(f"{root} is not declared in the database; run: djcli apply")
        links, masters = _follow(catalog, root, with_masters=with_masters)
        # What depends on a master of another schema is known only once that schema was asked for.
        more = {table.schema for table in links} - schemas if with_masters else set[str]()
        if not more:
            break
        schemas |= more
    order = catalog.graph.topological_order(links, strict=False)
    plan = Cascade(root, {table: tuple(links[table]) for table in order}, masters)
    return Cascade(plan.root, plan.links, plan.masters, _key_sets(plan, catalog))


def _follow(
    catalog: Catalog, root: TableId, *, with_masters: bool
) -> tuple[dict[TableId, list[Link]], dict[TableId, ForeignKey]]:
    links: dict[TableId, list[Link]] = {root: []}
    masters: dict[TableId, ForeignKey] = {}
    waiting = [root]
    while waiting:
        table = waiting.pop()
        found = [
            (edge.child, Link(table, edge.foreign_key.columns)) for edge in catalog.graph.children(table)
        ]
        key = _key_to_master(catalog, table)
        if key is not None:
            masters[table] = key
            if with_masters:
                found.append((key.parent, Link(table, tuple((theirs, own) for own, theirs in key.columns))))
        for dependent, link in found:
            if dependent not in links:
                links[dependent] = []
                waiting.append(dependent)
            links[dependent].append(link)
    return links, masters


def _key_to_master(catalog: Catalog, table: TableId) -> ForeignKey | None:
    master = catalog.graph.master(table)
    keys = [key for key in catalog.tables[table].foreign_keys if key.parent == master]
    return min(keys, key=lambda key: not key.in_key) if keys else None


def _key_sets(plan: Cascade, catalog: Catalog) -> dict[TableId, KeySet]:
    """Give a key set to every table that others are reached from, or that is reached in more than one way."""
    needed: dict[TableId, dict[str, None]] = {}
    for links in plan.links.values():
        for link in links:
            needed.setdefault(link.source, {}).update(dict.fromkeys(theirs for _, theirs in link.columns))
    for table, links in plan.links.items():
        key = plan.masters.get(table)
        by_master_alone = key is not None and links == (Link(key.parent, key.columns),)
        if len(links) > 1 or table in needed or (key is not None and not by_master_alone):
            needed.setdefault(table, {}).update(dict.fromkeys(key.attributes if key else ()))
    found: dict[TableId, KeySet] = {}
    for table in filter(needed.__contains__, plan.links):  # in their order, in which they are filled
        columns = needed[table]
        identity = catalog.tables[table].primary_key or tuple(columns)
        stored = tuple(dict.fromkeys((*identity, *columns)))
        found[table] = KeySet(table, f"djcli_keys_{next(_numbers)}", identity, stored)
    return found


class Doomed:
    """The rows that a cascade reaches, found and deleted inside one transaction.

    Parameters
    ----------
    table
        The restricted table.
    plan
        The tables that it reaches.
    """

    def __init__(self, table: Any, plan: Cascade) -> None:
        self.table = table
        self.connection: Connection = table.connection
        self.plan = plan
        self.counts: dict[TableId, int] = dict.fromkeys(plan.links, 0)
        self._added: dict[tuple[TableId, int], int] = {}
        self._undeletable: list[TableId] = []
        self._uncounted: set[TableId] = set()

    def check_privileges(self) -> None:
        """Refuse to go on where the role may not read a table that rows may be reached in.

        Raises
        ------
        AccessError
            Naming the tables.
        """
        tables = list(self.plan.links)
        asked = {"schemas": [table.schema for table in tables], "names": [table.name for table in tables]}
        rows = self.connection.rows(statements.PRIVILEGES, asked)
        self._undeletable = [TableId(schema, name) for schema, name, _, may_delete in rows if not may_delete]
        unread = ", ".join(f"{TableId(schema, name)}" for schema, name, may_read, _ in rows if not may_read)
        if unread:
            raise AccessError(
                f"nothing was deleted: rows of {unread} may depend on those of {self.plan.root}, "
                "and you may not read them; ask the database's owner for SELECT"
            )

    def check_deletable(self) -> None:
        """Refuse to go on where rows were found that the role may not delete; after `find`.

        Raises
        ------
        AccessError
            Naming the tables.
        """
        kept = [f"{table} ({self.counts[table]} rows)" for table in self._undeletable if self.counts[table]]
        if kept:
            raise AccessError(
                f"nothing was deleted: you may not delete rows of {', '.join(kept)}, "
                "which would go too; ask the database's owner for DELETE"
            )

    def make_room(self) -> None:
        """Create the key sets."""
        if self.plan.keys:
            self.connection.execute(statements.create_keys(self.plan.keys.values()))

    def find(self, *, counting: bool) -> None:
        """Find all rows; `counts` tells how many there are.

        Parameters
        ----------
        counting
            Whether rows are counted whose keys nothing else needs; else deleting them tells their number.
        """
        counting = counting or bool(self._undeletable)
        root = self.plan.root
        if root in self.plan.keys:
            self._take_root(self.plan.keys[root])
        elif counting:
            statement = compile_counts((self.table.node,))
            [(self.counts[root],)] = self.connection.rows(statement.text, parameters(self.table.values))
        sweep = 0
        while self._sweep(sweep):
            sweep += 1
        if counting:
            self._count_others()
        else:
            self._uncounted = {table for table in self.plan.links if table not in self.plan.keys}

    def _take_root(self, keys: KeySet) -> None:
        columns = tuple(nodes.Column(name, name) for name in keys.columns)
        select = compile_select(nodes.project(self.table.node, columns), keys.columns)
        statement = statements.take_keys(keys, select.text)
        self._note(keys, 0, self.connection.execute(statement, parameters(self.table.values)))

    def _note(self, keys: KeySet, sweep: int, added: int) -> None:
        self.counts[keys.table] += added
        self._added[keys.table, sweep] = self._added.get((keys.table, sweep), 0) + added
        if added >= _WORTH_ANALYZING:
            self.connection.execute(statements.analyze_keys(keys))

    def _sweep(self, sweep: int) -> bool:
        """Follow all links once; tell whether another sweep is due."""
        for table, keys in self.plan.keys.items():
            for link in self.plan.links[table]:
                since = sweep - self.plan.is_backward(table, link)
                if not self._added.get((link.source, since)):
                    continue
                statement = statements.reach_keys(
                    keys, self.plan.keys[link.source], link.columns, since=since, sweep=sweep
                )
                self._note(keys, sweep, self.connection.execute(statement))
        return any(
            self._added.get((link.source, sweep)) and self.plan.is_backward(table, link)
            for table, links in self.plan.links.items()
            for link in links
        )

    def _reached_once(self) -> list[tuple[TableId, KeySet, tuple[tuple[str, str], ...]]]:
        """Return the tables without a key set that rows may be reached in, each with its one link."""
        return [
            (table, self.plan.keys[links[0].source], links[0].columns)
            for table, links in self.plan.links.items()
            if table not in self.plan.keys and links and self.counts[links[0].source]
        ]

    def _count_others(self) -> None:
        reached = self._reached_once()
        if reached:
            (numbers,) = self.connection.rows(statements.count_reached(reached))
            self.counts.update(
                (table, number) for (table, _, _), number in zip(reached, numbers, strict=True)
            )

    def strays(self, limit: int = 3) -> dict[TableId, tuple[int, list[dict[str, object]]]]:
        """Return the parts of which rows go while their master's row stays: how many, and the first keys."""
        parts = [
            (self.plan.keys[part], self.plan.keys.get(key.parent), key.columns)
            for part, key in self.plan.masters.items()
            if part in self.plan.keys and self.counts[part]
        ]
        if not parts:
            return {}
        found: dict[TableId, tuple[int, list[dict[str, object]]]] = {}
        (numbers,) = self.connection.rows(statements.count_strays(parts))
        for number, (keys, master, columns) in zip(numbers, parts, strict=True):
            if number:  # an error follows: its details may cost a statement
                rows = self.connection.rows(statements.stray_keys(keys, master, columns, limit))
                found[keys.table] = number, [dict(zip(keys.identity, row, strict=True)) for row in rows]
        return found

    def delete(self) -> dict[TableId, int]:
        """Delete the rows, dependent tables first, and return how many of each table were deleted."""
        deleted = dict.fromkeys(self.plan.links, 0)
        once = {table: (source, columns) for table, source, columns in self._reached_once()}
        for table in reversed(tuple(self.plan.links)):
            if not self.counts[table] and table not in self._uncounted:
                continue
            if table in self.plan.keys:
                deleted[table] = self.connection.execute(statements.delete_keys(self.plan.keys[table]))
            elif table in once:
                deleted[table] = self.connection.execute(statements.delete_reached(table, *once[table]))
            elif table == self.plan.root:
                statement = compile_delete(self.table.node)
                deleted[table] = self.connection.execute(statement.text, parameters(self.table.values))
            if table in self._uncounted:
                self.counts[table] = deleted[table]
        if self.plan.keys:
            self.connection.execute(statements.drop_keys(self.plan.keys.values()))
        return deleted
