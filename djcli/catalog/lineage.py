"""Lineage: which attribute of which table an attribute comes from, told by primary and foreign keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from djcli.definition.model import ForeignKey, TableId

AttributeId = tuple[TableId, str]


class Lineage:
    """The origins of attributes; each is found once.

    Parameters
    ----------
    primary_keys
        The columns of every table's primary key.
    foreign_keys
        The foreign keys of every table, in declared order; of two that share an attribute the first counts.
    """

    def __init__(
        self,
        primary_keys: Mapping[TableId, Collection[str]],
        foreign_keys: Mapping[TableId, Sequence[ForeignKey]],
    ) -> None:
        self._primary_keys = primary_keys
        self._parents: dict[AttributeId, AttributeId] = {}
        for table, keys in foreign_keys.items():
            for key in keys:
                for own, theirs in key.columns:
                    if (key.parent, theirs) != (table, own):
                        self._parents.setdefault((table, own), (key.parent, theirs))
        self._origins: dict[AttributeId, AttributeId] = {}

    def parent(self, table: TableId, attribute: str) -> AttributeId | None:
        """Return the attribute that a foreign key takes this one from, or None."""
        return self._parents.get((table, attribute))

    def of(self, table: TableId, attribute: str) -> str | None:
        """Return ``schema.table.attribute`` of the origin; None for an attribute of no key."""
        if (table, attribute) not in self._parents and attribute not in self._primary_keys[table]:
            return None
        origin, name = self._origin((table, attribute))
        return f"{origin.schema}.{origin.name}.{name}"

    def _origin(self, start: AttributeId) -> AttributeId:
        """Follow foreign keys to the end; of attributes that refer to each other, to the least of them."""
        path: list[AttributeId] = []
        seen: set[AttributeId] = set()
        node = start
        while node not in self._origins and node in self._parents and node not in seen:
            seen.add(node)
            path.append(node)
            node = self._parents[node]
        circle = path[path.index(node) :] if node in seen else [self._origins.get(node, node)]
        origin = min(circle)
        self._origins.update(dict.fromkeys(path, origin))
        return origin
