"""What is to be drawn, before any format: nodes in groups, and the links between them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from djcli.catalog.graph import Edge, Graph
from djcli.definition.model import TableId, TableModel
from djcli.diagram.style import Kind
from djcli.names import Tier, counted, display_name, split_table_name


@dataclass(frozen=True, slots=True)
class Node:
    """A table, or the collapsed tables of a schema.

    Attributes
    ----------
    key
        Its identifier: schema and table, odd characters as ``%code;``.
    label
        The text shown.
    tier
        The tier; None for collapsed tables.
    underlined
        Whether the table adds an attribute of its own to the primary key.
    tooltip
        Text of several lines.
    """

    key: str
    label: str
    tier: Tier | None
    underlined: bool = False
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A foreign key, or all between two nodes of which one is collapsed."""

    parent: Node
    child: Node
    kind: Kind
    label: str = ""
    tooltip: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of one schema; without a title they are drawn unframed."""

    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that a drawing shows, parents first."""

    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    links: tuple[Link, ...]


def compose(
    graph: Graph,
    expanded: Collection[TableId],
    collapsed: Collection[TableId],
    titles: Mapping[str, str],
    tooltip: Callable[[TableModel], str],
) -> Picture:
    """Lay out what a diagram shows.

    Parameters
    ----------
    graph
        All tables.
    expanded, collapsed
        The tables shown as such, and those shown as one node for each schema.
    titles
        The names to show for schemas.
    tooltip
        Describes a table.
    """
    order = graph.topological_order({*expanded, *collapsed}, strict=False)
    schemas = list(dict.fromkeys(table.schema for table in order))
    shown_titles = _distinct({schema: _one_line(titles.get(schema, schema)) for schema in schemas})
    nodes: dict[TableId, Node] = {}
    groups: list[Group] = []
    for schema in schemas:
        tables = [table for table in order if table.schema == schema]
        within = {table: _table_node(graph, table, tooltip) for table in tables if table in expanded}
        folded = [table for table in tables if table not in within]
        whole = not within
        if folded:
            node = _schema_node(schema, shown_titles[schema], folded, whole)
            within |= dict.fromkeys(folded, node)
        nodes |= within
        bare = whole or len(schemas) == 1
        groups.append(Group("" if bare else shown_titles[schema], tuple(dict.fromkeys(within.values()))))
    shown = dict.fromkeys(nodes[table] for table in order)
    return Picture(tuple(shown), tuple(groups), tuple(_links(graph, order, nodes)))


def list_attributes(model: TableModel) -> str:
    """Return a description of a table: its comment, its attributes with their types, the key set off."""
    lines = [f"{attribute.name} : {attribute.type.text}" for attribute in model]
    if len(lines) > len(model.primary_key):
        lines.insert(len(model.primary_key), "---")
    if model.comment:
        lines.insert(0, f"# {model.comment}")
    return "\n".join(lines)


def _distinct(titles: Mapping[str, str]) -> dict[str, str]:
    """Add the schema's name to titles that several schemas have."""
    shown = list(titles.values())
    return {
        schema: title if shown.count(title) == 1 else f"{title} ({schema})"
        for schema, title in titles.items()
    }


def _one_line(name: str) -> str:
    """Return a name on one line; a blank one as two quotes, since no format can show it."""
    return " ".join(name.split()) or '""'


def _key(*names: str) -> str:
    """Join names to an identifier that no format needs to escape but by quotes, and that no other has."""
    return ".".join(re.sub(r"[^\w#~-]", lambda match: f"%{ord(match[0]):x};", name) for name in names)


def _table_node(graph: Graph, table: TableId, tooltip: Callable[[TableModel], str]) -> Node:
    split = split_table_name(table.name)
    model = graph.models.get(table)
    inherited = {name for edge in graph.parents(table, primary=True) for name in edge.foreign_key.attributes}
    return Node(
        key=_key(*table),
        label=_one_line(display_name(table.name)),
        tier=split[0] if split else Tier.MANUAL,
        underlined=model is not None and not inherited.issuperset(model.primary_key),
        tooltip=tooltip(model) if model else str(table),
    )


def _schema_node(schema: str, title: str, tables: list[TableId], whole: bool) -> Node:
    count = counted(len(tables), "table" if whole else "more table")
    names = "\n".join(display_name(table.name) for table in tables)
    return Node(_key(schema), f"{title}\n({count})" if whole else f"({count})", None, tooltip=names)


def _links(graph: Graph, order: Iterable[TableId], nodes: Mapping[TableId, Node]) -> Iterable[Link]:
    bundles: dict[tuple[Node, Node], list[Edge]] = {}
    for table in order:
        child = nodes[table]
        for edge in graph.parents(table):
            parent = nodes.get(edge.parent)
            if parent is None:
                continue
            if parent.tier is not None and child.tier is not None:
                yield _link(graph, edge, parent, child)
            elif parent != child:
                bundles.setdefault((parent, child), []).append(edge)
    for (parent, child), edges in bundles.items():
        yield Link(parent, child, Kind.BUNDLE, tooltip="\n".join(map(_describe, edges)))


def _link(graph: Graph, edge: Edge, parent: Node, child: Node) -> Link:
    key = edge.foreign_key
    if not key.in_key:
        kind = Kind.SECONDARY
    elif set(graph.models[edge.child].primary_key) <= set(key.attributes):
        kind = Kind.ONE_TO_ONE
    else:
        kind = Kind.ONE_TO_MANY
    label = "\n".join(f"{own}={theirs}" for own, theirs in key.renamed.items())
    return Link(parent, child, kind, label, _describe(edge))


def _describe(edge: Edge) -> str:
    """Return a foreign key in words: ``Session -> Subject (subject_id)``."""
    key = edge.foreign_key
    columns = ", ".join(own if own == theirs else f"{own}={theirs}" for own, theirs in key.columns)
    modifiers = [word for word, on in (("nullable", key.nullable), ("unique", key.unique)) if on]
    child, parent = display_name(edge.child.name), display_name(edge.parent.name)
    return f"{child} -> {parent} ({columns})" + (f" [{', '.join(modifiers)}]" if modifiers else "")
