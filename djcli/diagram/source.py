"""What a diagram can be made of: schemas, tables and modules, seen through one protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Protocol, runtime_checkable

from djcli.catalog.graph import Graph
from djcli.definition.model import TableId
from djcli.errors import DataJointError
from djcli.tables.instance import Instance


@runtime_checkable
class DiagramSource(Protocol):
    """What a schema, a table class and a table instance offer to diagrams.

    A table class offers them as class methods.
    """

    def diagram_graph(self) -> Graph:
        """Return the graph of all tables that a diagram may grow to."""
        ...

    def diagram_nodes(self) -> Iterable[TableId]:
        """Return the tables that the diagram starts with."""
        ...

    def diagram_titles(self) -> Mapping[str, str]:
        """Return the names to show for schemas, such as those of their modules; a schema may be missing."""
        ...


def find_source(source: object) -> DiagramSource:
    """Return the source itself, or the schema of a module.

    Raises
    ------
    DataJointError
        If a diagram cannot be made of it.
    """
    if isinstance(source, DiagramSource):
        return source
    schema: object = getattr(source, "schema", None)
    if isinstance(schema, DiagramSource):
        return schema
    if isinstance(source, ModuleType):
        raise DataJointError(f"module {source.__name__!r} has no `schema` to draw: pass a schema or a table")
    raise DataJointError(
        f"cannot draw a diagram of {source!r}: pass a schema, a table or a module with a schema"
    )


def instance_of(source: object) -> Instance | None:
    """Return the database that a source is in; None for one that stands for no tables of a database."""
    found = getattr(source, "instance", None)
    return found if isinstance(found, Instance) else None
