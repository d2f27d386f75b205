"""Attributes that a table has by its ancestors: found by name, and turned into restrictions of its own rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from djcli.algebra.restriction import Restriction, Where
from djcli.catalog.reach import Reach, reach_down
from djcli.definition.model import Attribute, TableId
from djcli.errors import SelectionError
from djcli.names import did_you_mean, display_name
from djcli.tables.relatives import find_named, graph_above
from djcli.tables.table import Table, table_object
from djcli.tables.trace import Given, Traced


@dataclass(frozen=True)
class Inherited:
    """An attribute of an ancestor.

    Attributes
    ----------
    ancestor
        The ancestor.
    attribute
        Its attribute.
    routes
        The ways from the table to the ancestor, in words.
    """

    ancestor: TableId
    attribute: Attribute
    routes: tuple[str, ...]

    @property
    def name(self) -> str:
        """How to name it so that no other can be meant."""
        return f"{display_name(self.ancestor.name)}.{self.attribute.name}"


@dataclass(frozen=True, repr=False)
class InheritedWhere(Restriction):
    """The restriction of a table by an attribute of an ancestor; the fields say it as `Where` does."""

    attribute: str = ""
    operator: str = "="
    value: object = None

    def __repr__(self) -> str:
        return f"{self.attribute}{self.operator}{self.value}"


class Inheritance:
    """The attributes that a table, or what is to become of it, has by its ancestors; asks the database nothing.

    Parameters
    ----------
    table
        The table.
    names
        Those of its attributes that are known; all by default. A key source has the primary key alone.
    """

    def __init__(self, table: Table, names: Collection[str] | None = None) -> None:
        self.table = table
        self._graph = graph_above(table.instance, table.model)
        self._names = table.model.names if names is None else names
        reached: dict[TableId, Reach] = {}
        for ancestor in self._graph.ancestors(table.id)[-2::-1]:
            reach = self._reach(ancestor)
            if reach.links[table.id]:
                reached[ancestor] = reach
        self._reached = reached

    @property
    def tables(self) -> list[TableId]:
        """The ancestors, nearest first."""
        return list(self._reached)

    @property
    def names(self) -> list[str]:
        """The names of all attributes of the ancestors, the nearest ones' first."""
        models = self._graph.models
        return list(dict.fromkeys(name for ancestor in self._reached for name in models[ancestor].names))

    def find(self, name: str, ancestor: str = "") -> Inherited | None:
        """Return the attribute of a name; None when no ancestor has one, or none has the name that is told.

        Parameters
        ----------
        name
            The name of the attribute.
        ancestor
            The name of the ancestor, where it is told: then any way to it counts.

        Raises
        ------
        SelectionError
            If there are several, or several ways to it, or if the ancestor told has none.
        DataJointError
            If several ancestors have the name.
        """
        if ancestor:
            known = find_named(ancestor, self._reached)
            if known is None:
                return None
            model = self._graph.models[known]
            if name not in model:
                raise SelectionError(
                    f"{known} has no attribute {name!r}{did_you_mean(name, model.names)}"
                    f" (they are {', '.join(model.names)})"
                )
            return self._inherited(known, name)
        found = [self._inherited(t, name) for t in self._reached if name in self._graph.models[t]]
        if not found:
            return None
        origin = found[-1].attribute.lineage
        if origin is not None and all(other.attribute.lineage == origin for other in found):
            # It is one and the same on the way from the last of them, if there is only one way from there.
            found = [found[0]] if len(found[-1].routes) == 1 else [found[-1]]
        self._check_single(name, found)
        return found[0]

    def _check_single(self, name: str, found: list[Inherited]) -> None:
        label = self.table.class_label
        if len(found) > 1:
            raise SelectionError(
                f"several tables that {label} depends on have an attribute {name!r}: write "
                f"{' or '.join(other.name for other in found)}"
            )
        if len(found[0].routes) > 1:
            raise SelectionError(
                f"{label} depends on {display_name(found[0].ancestor.name)} in several ways, "
                f"{' and '.join(found[0].routes)}: write {found[0].name} if any of them will do"
            )

    def restriction(self, found: Inherited, where: Where) -> InheritedWhere:
        """Return the restriction of the table to the rows that depend on an ancestor's rows with some value."""
        rows = table_object(self.table.instance, found.ancestor) & where
        given = Given.of(rows, f"{found.name}{where.operator}{where.value}")
        traced = Traced(given, self._graph, self._reached[found.ancestor], "descendant")
        made = traced.restriction(self.table.id)
        return InheritedWhere(
            made.condition,
            made.values,
            attribute=found.name,
            operator=where.operator,
            value=where.value,
        )

    def _reach(self, ancestor: TableId) -> Reach:
        """Return the ways from an ancestor down to the table, by attributes that are known.

        References of a table to itself are none of them: the row's own ancestor is meant, not the ancestor's.
        """
        reach = reach_down(self._graph, ancestor)
        ways = tuple(
            link for link in reach.links[self.table.id] if all(own in self._names for own, _ in link.columns)
        )
        return replace(reach, links={**reach.links, self.table.id: ways}, loops={})

    def _inherited(self, ancestor: TableId, name: str) -> Inherited:
        routes = tuple(_routes(self._reached[ancestor], self.table.id))
        return Inherited(ancestor, self._graph.models[ancestor][name], routes)


def _routes(reach: Reach, table: TableId) -> list[str]:
    """Describe the ways to a table, each by the attributes that lead back."""
    if table == reach.source:
        return [display_name(table.name)]
    return [
        f"{display_name(table.name)}({', '.join(own for own, _ in link.columns)}) -> {rest}"
        for link in reach.links[table]
        for rest in _routes(reach, link.anchor)
    ]
