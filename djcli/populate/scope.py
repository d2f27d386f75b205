"""What a query reads beyond a key: which of its tables are not restricted to the rows that the key depends on.

A query is judged by its structure and by which of its values are the key's: an equality with the key's value of
the same lineage holds an attribute, and so does what is held in another relation that it is joined with or
restricted by. A table is read within the key when all attributes of its primary key that are of the key's
lineage are held.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from djcli.algebra import conditions as c
from djcli.algebra import nodes as n
from djcli.algebra.heading import Heading
from djcli.algebra.relation import Node
from djcli.codecs.scalars import NO_MATCH
from djcli.definition.model import TableModel

Names = frozenset[str]
Equals = tuple[frozenset[str], ...]
"""For each slot of a query the attributes of the key whose value it has."""

_EQUALITY = re.compile(r"""\s*["`]?(\w+)["`]?\s*=\s*(?:'((?:[^']|'')*)'|"([^"]*)"|([-+\w.:]+))\s*""")
_NONE: Names = frozenset()


@dataclass(frozen=True, slots=True)
class Excess:
    """A table of a query that is read beyond the key.

    Attributes
    ----------
    table
        The table.
    missing
        The attributes of its primary key that should have the key's values and may have others; none for a
        table that has none of the key's, and that nothing ties to it.
    """

    table: TableModel
    missing: tuple[str, ...]


def equal_slots(values: Sequence[object], key: Mapping[str, object]) -> Equals:
    """Return for each value of a query's slots which attributes of the key have it.

    Parameters
    ----------
    values
        The values; a list counts as a value when all its items are the same.
    key
        The key's values as they are stored.
    """
    return tuple(
        frozenset(name for name, own in key.items() if own is not NO_MATCH and _is_all(value, own))
        for value in values
    )


def _is_all(value: object, own: object) -> bool:
    if isinstance(value, list):
        items = cast("list[object]", value)
        return bool(items) and all(item == own for item in items)
    return value == own


class Scope:
    """Judges queries for one computed table.

    Parameters
    ----------
    key
        The heading of the computed table; its primary key is the key.
    judged
        Whether a table is to be judged at all.
    is_free
        Whether a table that has none of the key's attributes may be read as a whole.
    """

    def __init__(
        self, key: Heading, judged: Callable[[TableModel], bool], is_free: Callable[[TableModel], bool]
    ) -> None:
        self._lineages = {name: key[name].lineage for name in key.primary_key}
        self._judged = judged
        self._is_free = is_free

    def excess(self, node: Node, equals: Equals, texts: Mapping[str, str]) -> tuple[list[Excess], bool]:
        """Return the tables of a query that are read beyond the key.

        Parameters
        ----------
        node
            The structure of the query.
        equals
            Which of its values are the key's.
        texts
            The key's values as they stand in SQL text.

        Returns
        -------
        tuple
            The tables, and whether the user's own SQL had a part in it, whose values are no slots.
        """
        reader = _Reader(self._lineages, iter(equals), texts)
        tree = reader.read(node)
        return list(dict.fromkeys(self._judge(tree, _NONE))), reader.has_text

    def required(self, model: TableModel) -> tuple[str, ...]:
        """Return the attributes of a table's primary key that are of the key's lineage."""
        heading, lineages = n.base(model).heading, set(self._lineages.values()) - {None}
        return tuple(name for name in heading.primary_key if heading[name].lineage in lineages)

    def _judge(self, tree: _Tree, held: Names) -> list[Excess]:
        """Return the excess of a relation some of whose attributes are held by what is around it."""
        node = tree.node
        match node:
            case n.Base():
                return self._judge_table(node.model, held)
            case n.Restrict():
                return self._judge_restricted(tree, held)
            case n.Project():
                (source,) = tree.sources
                return self._judge(source, _through(node.columns, held))
            case n.Join():
                first, second = tree.sources
                a, b = held & _names(first), held & _names(second)
                a |= _NONE if node.left else second.held & frozenset(node.shared)
                b |= first.held & frozenset(node.shared)
                return self._judge_two(first, a, second, b, node.shared, both=not node.left)
            case n.Aggregate():
                source, group = tree.sources
                a = _through(node.columns, held) | (
                    group.held & frozenset(node.shared) if node.drop_unmatched else _NONE
                )
                b = (source.held | a) & frozenset(node.shared)
                return self._judge_two(source, a, group, b, node.shared, both=node.drop_unmatched)
            case n.Group():
                return self._judge(tree.sources[0], held & frozenset(node.by))
            case n.Union():
                return [excess for source in tree.sources for excess in self._judge(source, held)]
            case _:  # what holds above a limit does not hold below it
                return [excess for source in tree.sources for excess in self._judge(source, _NONE)]

    def _judge_table(self, model: TableModel, held: Names) -> list[Excess]:
        if not self._judged(model):
            return []
        required = self.required(model)
        missing = tuple(name for name in required if name not in held)
        if missing or not (required or held or self._is_free(model)):
            return [Excess(model, missing)]
        return []

    def _judge_two(
        self, first: _Tree, a: Names, second: _Tree, b: Names, shared: Sequence[str], *, both: bool
    ) -> list[Excess]:
        """Judge two relations that are matched: where one is within the key, it holds the other."""
        one, two = self._judge(first, a), self._judge(second, b)
        if two and not one:
            two = self._judge(second, b | frozenset(shared))
        elif one and not two and both:
            one = self._judge(first, a | frozenset(shared))
        return one + two

    def _judge_restricted(self, tree: _Tree, held: Names) -> list[Excess]:
        (source,) = tree.sources
        own = held | tree.held
        found = self._judge(source, own)
        for match in tree.matches:
            shared = frozenset(match.shared)
            inner = (own | source.held) & shared
            others = self._judge(match.tree, inner)
            if found and not others and match.restricts:
                own |= shared
                found = self._judge(source, own)
            elif others and not found:
                others = self._judge(match.tree, inner | shared)
            found += others
        return found


@dataclass(slots=True)
class _Match:
    """A relation in a condition; `restricts` tells whether every row must have a match in it."""

    tree: _Tree
    shared: tuple[str, ...]
    restricts: bool


@dataclass(slots=True)
class _Tree:
    """One occurrence of a node, with the attributes that are held in its own rows."""

    node: Node
    sources: tuple[_Tree, ...] = ()
    held: Names = _NONE
    matches: list[_Match] = field(default_factory=list[_Match])


class _Reader:
    """Goes through a query in the order of its slots."""

    def __init__(
        self, lineages: Mapping[str, str | None], equals: Iterator[frozenset[str]], texts: Mapping[str, str]
    ) -> None:
        self._lineages = lineages
        self._equals = equals
        self._texts = texts
        self.has_text = False

    def read(self, node: Node) -> _Tree:
        sources = tuple(self.read(source) for source in node.sources)
        tree = _Tree(node, sources)
        match node:
            case n.Restrict():
                own = self._condition(tree, node.condition, restricts=True)
                tree.held = sources[0].held | own
                for found in tree.matches:
                    if found.restricts:
                        tree.held |= found.tree.held & frozenset(found.shared)
            case n.Project() | n.Aggregate():
                tree.held = frozenset(
                    column.name
                    for column in node.columns
                    if isinstance(column, n.Column) and column.source in sources[0].held
                )
            case n.Join():
                tree.held = sources[0].held | (_NONE if node.left else sources[1].held)
            case n.Group():
                tree.held = sources[0].held & frozenset(node.by)
            case n.Union():
                tree.held = sources[0].held & sources[1].held
            case n.Limit():
                tree.held = sources[0].held
                self._skip(node.own_slots)
            case _:
                self._skip(node.own_slots)
        return tree

    def _skip(self, slots: int) -> None:
        for _ in range(slots):
            next(self._equals)

    def _condition(self, tree: _Tree, condition: c.Condition, *, restricts: bool) -> Names:
        """Return the attributes that a condition holds, if it `restricts`, and note the relations in it."""
        match condition:
            case c.Compare():
                equal = self._is_keys(tree.node.heading, condition.name, next(self._equals))
                return frozenset((condition.name,)) if equal and condition.operator == "=" else _NONE
            case c.Among():
                return frozenset(
                    name
                    for name in condition.columns
                    if self._is_keys(tree.node.heading, name, next(self._equals))
                )
            case c.All():
                found = [self._condition(tree, item, restricts=restricts) for item in condition.items]
                return _NONE.union(*found)
            case c.Any():
                found = [self._condition(tree, item, restricts=False) for item in condition.items]
                return found[0].intersection(*found[1:]) if found else _NONE
            case c.Not():
                self._condition(tree, condition.item, restricts=False)
                return _NONE
            case c.Matches():
                tree.matches.append(_Match(self.read(condition.node), condition.shared, restricts))
                return _NONE
            case c.Raw():
                return self._text(tree.node.heading, condition.text)
            case _:
                self._skip(condition.n_slots)
                return _NONE

    def _is_keys(self, heading: Heading, name: str, equal: frozenset[str]) -> bool:
        lineage = heading[name].lineage
        return lineage is not None and any(self._lineages.get(own) == lineage for own in equal)

    def _text(self, heading: Heading, text: str) -> Names:
        """Read equalities off the user's own SQL, as far as they are plain."""
        self.has_text = True
        held: set[str] = set()
        for part in re.split(r"\bAND\b", text, flags=re.IGNORECASE):
            found = _EQUALITY.fullmatch(part)
            if found is None or found[1] not in heading:
                continue
            value = next((group for group in found.groups()[1:] if group is not None), "")
            equal = frozenset(name for name, own in self._texts.items() if own == value.replace("''", "'"))
            if self._is_keys(heading, found[1], equal):
                held.add(found[1])
        return frozenset(held)


def _names(tree: _Tree) -> Names:
    return frozenset(tree.node.heading.names)


def _through(columns: Sequence[n.AnyColumn], held: Names) -> Names:
    """Return the attributes below a projection that are held above it."""
    return frozenset(
        column.source for column in columns if isinstance(column, n.Column) and column.name in held
    )
