"""The diagram: a choice of tables from a graph, with its algebra and its drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import SupportsIndex

from djcli.catalog.graph import Graph
from djcli.definition.model import TableId, TableModel
from djcli.diagram.dot import draw_dot
from djcli.diagram.image import Png, Svg, render
from djcli.diagram.mermaid import draw_mermaid
from djcli.diagram.picture import Picture, compose, list_attributes
from djcli.diagram.source import DiagramSource, find_source
from djcli.diagram.text import draw_text
from djcli.errors import DataJointError, MissingTableError
from djcli.settings import config

FORMATS = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".txt": "text",
}
"""The formats that `Diagram.save` knows, by the suffix of the file's name."""


class Diagram:
    """Tables and their foreign keys, to be chosen and drawn; immutable.

    ``diagram + n`` and ``diagram - n`` add n generations of descendants or ancestors; ``+``, ``-`` and ``*``
    between diagrams (or anything a diagram can be made of) unite, subtract and intersect.

    Parameters
    ----------
    source
        A schema, a table (class or instance), a module with a schema, or another diagram.
    direction
        ``'TB'`` draws parents above, ``'LR'`` to the left of their children; None leaves it to the
        setting ``display.diagram_direction``.
    tooltip
        Describes a table in the text that shows up under the pointer.

    Raises
    ------
    DataJointError
        If a diagram cannot be made of the source, or the direction is unknown.
    """

    def __init__(
        self,
        source: object,
        *,
        direction: str | None = None,
        tooltip: Callable[[TableModel], str] | None = None,
    ) -> None:
        if direction not in (None, "TB", "LR"):
            raise DataJointError(f"a diagram's direction is 'TB' or 'LR', not {direction!r}")
        if isinstance(source, Diagram):
            self._set(source._graph, source._shown, source._collapsed, source._titles)
            self._direction = direction or source._direction
            self._tooltip = tooltip or source._tooltip
            return
        found = find_source(source)
        self._set(
            found.diagram_graph(), frozenset(found.diagram_nodes()), frozenset(), dict(found.diagram_titles())
        )
        self._direction = direction
        self._tooltip = tooltip or list_attributes

    def _set(
        self,
        graph: Graph,
        shown: frozenset[TableId],
        collapsed: frozenset[TableId],
        titles: Mapping[str, str],
    ) -> None:
        for table in shown:
            if table not in graph:
                raise MissingTableError(f"table {table} is not among the known tables: declare it first")
        self._graph = graph
        self._shown = shown
        self._collapsed = collapsed & shown
        self._titles = titles

    def _with(self, shown: Iterable[TableId], collapsed: Iterable[TableId]) -> Diagram:
        """Return a diagram of the same graph that shows other tables."""
        new = Diagram(self)
        new._set(self._graph, frozenset(shown), frozenset(collapsed), self._titles)
        return new

    @classmethod
    def from_sequence(cls, sequence: Iterable[object]) -> Diagram:
        """Return the union of the diagrams of several sources.

        Raises
        ------
        DataJointError
            If there is none, or a diagram cannot be made of one.
        """
        diagrams = [cls(source) for source in sequence]
        if not diagrams:
            raise DataJointError("a diagram needs at least one schema or table")
        result = diagrams[0]
        for diagram in diagrams[1:]:
            result = result + diagram
        return result

    # ---- what it holds

    @property
    def graph(self) -> Graph:
        """All tables that the diagram may grow to."""
        return self._graph

    @property
    def tables(self) -> tuple[TableId, ...]:
        """The tables of the diagram, parents first, parts next to their masters."""
        return self._graph.topological_order(self._shown)

    @property
    def collapsed(self) -> frozenset[TableId]:
        """Those of its tables that are drawn as one node for each schema."""
        return self._collapsed

    def diagram_graph(self) -> Graph:
        """Return the graph: a diagram is a source of diagrams itself."""
        return self._graph

    def diagram_nodes(self) -> Iterable[TableId]:
        """Return its tables."""
        return self._shown

    def diagram_titles(self) -> Mapping[str, str]:
        """Return the names shown for schemas."""
        return self._titles

    def __iter__(self) -> Iterator[TableId]:
        """Iterate over the tables, parents first."""
        return iter(self.tables)

    def __reversed__(self) -> Iterator[TableId]:
        """Iterate over the tables, children first."""
        return reversed(self.tables)

    def __len__(self) -> int:
        """Return the number of tables."""
        return len(self._shown)

    def __contains__(self, item: object) -> bool:
        """Tell whether a table, or each table of another diagram or source, is shown."""
        if isinstance(item, tuple):
            return item in self._shown
        return isinstance(item, DiagramSource) and self._shown.issuperset(item.diagram_nodes())

    # ---- algebra

    def __add__(self, other: object) -> Diagram:
        """Add generations of descendants, or unite with another diagram."""
        if isinstance(other, SupportsIndex):
            return self._with(
                self._graph.around(self._shown, descendants=_generations(other)), self._collapsed
            )
        if not isinstance(other, DiagramSource):
            return NotImplemented
        that = Diagram(other)
        new = Diagram(self)
        open_tables = (self._shown - self._collapsed) | (that._shown - that._collapsed)
        shown = self._shown | that._shown
        new._set(
            _merge(self._graph, that._graph), shown, shown - open_tables, {**that._titles, **self._titles}
        )
        return new

    def __sub__(self, other: object) -> Diagram:
        """Add generations of ancestors, or take away the tables of another diagram."""
        if isinstance(other, SupportsIndex):
            return self._with(self._graph.around(self._shown, ancestors=_generations(other)), self._collapsed)
        if not isinstance(other, DiagramSource):
            return NotImplemented
        return self._with(self._shown.difference(other.diagram_nodes()), self._collapsed)

    def __mul__(self, other: object) -> Diagram:
        """Keep the tables that another diagram has, too."""
        if not isinstance(other, DiagramSource):
            return NotImplemented
        return self._with(self._shown.intersection(other.diagram_nodes()), self._collapsed)

    def collapse(self) -> Diagram:
        """Return the diagram with its tables drawn as one node for each schema.

        In a union, tables that are not collapsed in one of the diagrams are drawn as tables.
        """
        return self._with(self._shown, self._shown)

    def add_parts(self) -> Diagram:
        """Return the diagram with all parts of its masters."""
        parts = {part for table in self._shown for part in self._graph.parts(table)}
        return self._with(self._shown | parts, self._collapsed)

    # ---- drawings

    def make_dot(self) -> str:
        """Return the drawing as source for Graphviz."""
        return draw_dot(self._picture(), self._flow())

    def make_svg(self) -> Svg:
        """Return the drawing as an SVG document, which is a string."""
        return Svg(render(self.make_dot(), "svg").decode())

    def make_png(self) -> Png:
        """Return the drawing as a PNG image, which is bytes."""
        return Png(render(self.make_dot(), "png"))

    def make_mermaid(self) -> str:
        """Return the drawing as a Mermaid flowchart."""
        return draw_mermaid(self._picture(), self._flow())

    def make_text(self) -> str:
        """Return the drawing as a tree of plain text."""
        return draw_text(self._picture())

    def save(self, filename: str | PathLike[str], format: str | None = None) -> None:  # noqa: A002 - as in DataJoint
        """Write the drawing to a file.

        Parameters
        ----------
        filename
            The path of the file.
        format
            ``svg``, ``png``, ``pdf``, ``dot``, ``mermaid`` or ``text``; by default as the suffix says.

        Raises
        ------
        DataJointError
            If the format is unknown or cannot be made here, or the file cannot be written.
        """
        path = Path(filename)
        if not format and not path.suffix:
            raise DataJointError(
                f"the name {str(path)!r} tells no format: add a suffix such as .svg, or name one"
            )
        data = self.encode(format or path.suffix)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DataJointError(f"cannot write the diagram to {path}: {error.strerror}") from error

    def encode(self, format: str) -> bytes:  # noqa: A002 - as in `save`
        """Return the drawing as the bytes of a file; see `save`."""
        name = format.lower()
        match FORMATS.get(name if name.startswith(".") else f".{name}", name):
            case "svg" | "png" | "pdf" as image:
                return render(self.make_dot(), image)
            case "dot":
                return self.make_dot().encode()
            case "mermaid":
                return self.make_mermaid().encode()
            case "text":
                return self.make_text().encode()
            case _:
                known = ", ".join(dict.fromkeys(FORMATS.values()))
                raise DataJointError(f"unknown diagram format {format!r}: choose one of {known}")

    def draw(self) -> Diagram:
        """Return the diagram itself, which a notebook shows."""
        return self

    def _repr_svg_(self) -> str:
        return self.make_svg()

    def _repr_html_(self) -> str:
        svg = self.make_svg()
        return f'<div style="overflow-x: auto">{svg[svg.index("<svg") :]}</div>'

    def __repr__(self) -> str:
        """Return the drawing as text."""
        return self.make_text().rstrip("\n") or "(a diagram of no tables)"

    def _picture(self) -> Picture:
        expanded = self._shown - self._collapsed
        return compose(self._graph, expanded, self._collapsed, self._titles, self._tooltip)

    def _flow(self) -> str:
        return self._direction or str(config["display.diagram_direction"])


def _generations(number: SupportsIndex) -> int:
    count = number.__index__()
    if count < 0:
        raise DataJointError(f"the number of generations must not be negative, but is {count}")
    return count


def _merge(one: Graph, other: Graph) -> Graph:
    """Return a graph of both; where they hold the same table, that of the first counts."""
    extra = [model for table, model in other.models.items() if table not in one.models]
    return Graph([*one.models.values(), *extra]) if extra else one
