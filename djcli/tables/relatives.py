"""The relatives of a table in the graph of foreign keys: parents, children, ancestors, descendants, parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from djcli.catalog.graph import Edge, Graph
from djcli.catalog.introspect import load
from djcli.definition.model import TableId
from djcli.tables.defined import DefinedTable
from djcli.tables.instance import Instance


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
