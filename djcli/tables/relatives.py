"""The relatives of a table in the graph of foreign keys: parents, children, ancestors, descendants, parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from djcli.catalog.graph import Edge, Graph
from djcli.catalog.introspect import load
from djcli.definition.model import TableId, TableModel
from djcli.errors import DataJointError
from djcli.names import did_you_mean, display_name
from djcli.sql.statement import quoted_name
from djcli.tables.defined import DefinedTable
from djcli.tables.instance import Instance

TableLike = type[DefinedTable] | DefinedTable | TableId | str
"""A table: its class, an object of it, its full name, or a name as text."""


def graph_of(table: DefinedTable) -> Graph:
    """Return the graph around a table: what the database has, and what classes declare beyond it."""
    instance: Instance = table.instance
    catalog = load(
        instance.connection, sorted({t.schema for t in (*instance.classes, table.id)}), downstream=True
    )
    models = dict(catalog.tables)
    for name, cls in instance.classes.items():
        if name not in models:
            models[name] = cls.class_model()
    return Graph(models.values())


def graph_above(instance: Instance, model: TableModel) -> Graph:
    """Return a table with all that it depends on; the database is asked only for tables without a class."""
    found = {model.id: model}
    waiting = [model]
    while waiting:
        for key in waiting.pop().foreign_keys:
            if key.parent not in found:
                found[key.parent] = model_of(instance, key.parent)
                waiting.append(found[key.parent])
    return _graph(tuple(found.values()))


@lru_cache(maxsize=256)
def _graph(models: tuple[TableModel, ...]) -> Graph:
    return Graph(models)


def model_of(instance: Instance, table: TableId) -> TableModel:
    """Return a table as its class declares it, or as the database has it where there is no class."""
    cls = instance.classes.get(table)
    return instance.model(table) if cls is None else cls.class_model()


def neighbours(
    table: DefinedTable,
    direction: str,
    primary: bool | None,
    show: Callable[[TableId], Any],
    *,
    foreign_key_info: bool,
) -> list[Any]:
    """Return the tables that a table refers to, or that refer to it, one for each foreign key.

    Parameters
    ----------
    table
        The table in the middle.
    direction
        ``'parents'`` or ``'children'``.
    primary
        True for foreign keys within the primary key only, False for the others only, None for all.
    show
        Returns what stands for a table in the list: its quoted name, or an object.
    foreign_key_info
        Whether each comes in a pair with a description of its foreign key; see `foreign_key`.
    """
    graph = graph_of(table)
    edges = graph.parents(table.id, primary) if direction == "parents" else graph.children(table.id, primary)
    ends = [edge.parent if direction == "parents" else edge.child for edge in edges]
    names = [show(end) for end in ends]
    if not foreign_key_info:
        return names
    return [(name, foreign_key(graph, edge)) for name, edge in zip(names, edges, strict=True)]


def foreign_key(graph: Graph, edge: Edge) -> dict[str, object]:
    """Describe a foreign key.

    Returns
    -------
    dict
        ``attr_map`` from own to the parent's attributes; ``primary``: whether they all are in the primary
        key; ``aliased``: whether any has another name than in the parent; ``multi``: whether the child may
        have several rows for one of the parent.
    """
    key = edge.foreign_key
    return {
        "attr_map": dict(key.columns),
        "primary": key.in_key,
        "aliased": bool(key.renamed),
        "multi": set(key.attributes) != set(graph.models[edge.child].primary_key),
    }


def find_relative(asked: TableLike, among: Iterable[TableId], source: TableId, relation: str) -> TableId:
    """Return which of the relatives of a table is asked for.

    Parameters
    ----------
    asked
        A class, an object, a full name, or as text ``Class``, ``schema.Class``, ``schema.table`` or
        ``"schema"."table"``.
    among
        The relatives, nearest first, the table itself perhaps among them.
    source
        The table itself.
    relation
        What they are to it, for the message: ``'ancestor'``.

    Raises
    ------
    DataJointError
        If it is none of them, or several.
    """
    known = tuple(among)
    found = find_named(asked, known)
    if found is None or found not in known:
        raise no_relative(asked, known, source, relation)
    return found


def find_named(asked: TableLike, known: Iterable[TableId]) -> TableId | None:
    """Return the table that is asked for, by its name among those known; None when they have no such name."""
    if isinstance(asked, TableId):
        return asked
    if not isinstance(asked, str):
        return asked.class_id() if isinstance(asked, type) else asked.id
    found = [table for table in known if asked in _names(table)]
    if len(found) > 1:
        raise DataJointError(f"{asked!r} may be {' or '.join(map(str, found))}: name its schema too")
    return found[0] if found else None


def _names(table: TableId) -> tuple[str, ...]:
    full = f"{table.schema}.{table.name}"
    return display_name(table.name), str(table), table.name, full, quoted_name(table)


def no_relative(asked: TableLike, known: Iterable[TableId], source: TableId, relation: str) -> DataJointError:
    """Return the error that a table is none of the relatives of another; the parameters are `find_relative`'s."""
    others = [table for table in known if table != source]
    if others:
        return no_member(asked, others, f"no {relation} of {source}", f"its {relation}s are")
    return no_member(asked, (), f"no {relation} of {source}", f"it has no {relation}s")


def no_member(asked: TableLike, known: Sequence[TableId], what: str, introduction: str) -> DataJointError:
    """Return the error that a table is not what was asked for, with near names and a list of those that are.

    Parameters
    ----------
    asked
        The table.
    known
        Those there are.
    what
        What it is not: ``'no ancestor of …'``.
    introduction
        What stands before the list: ``'its ancestors are'``.
    """
    near, name = "", asked
    if isinstance(asked, str):
        near = did_you_mean(asked, [_names(table)["." in asked] for table in known])
    else:
        name = find_named(asked, ())
    listed = " ".join([introduction, ", ".join(map(str, known))]).rstrip()
    return DataJointError(f"{name} is {what}{near} ({listed})")
