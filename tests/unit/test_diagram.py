"""The algebra of diagrams, and what they can be made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType, SimpleNamespace

import pytest

from djcli.catalog.graph import Graph
from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.diagram import Diagram, DiagramSource
from djcli.errors import DataJointError, MissingTableError


def model(schema: str, name: str, *keys: TableId, secondary: Iterable[TableId] = ()) -> TableModel:
    """Return a table that has only foreign keys."""
    foreign = [ForeignKey(parent, (("id", "id"),), in_key=True) for parent in keys]
    foreign += [ForeignKey(parent, (("other", "id"),)) for parent in secondary]
    return TableModel(TableId(schema, name), (), tuple(foreign))


A, B, C = TableId("one", "a"), TableId("one", "b"), TableId("one", "__c")
D, P, E = TableId("two", "d"), TableId("two", "d__p"), TableId("two", "e")
GRAPH = Graph(
    [
        model("one", "a"),
        model("one", "b", A),
        model("one", "__c", B),
        model("two", "d", A, C, secondary=[A]),
        model("two", "d__p", D),
        model("two", "e", secondary=[D]),
    ]
)


class Source:
    """A schema or a table, as diagrams see it."""

    def __init__(
        self, *tables: TableId, graph: Graph = GRAPH, titles: Mapping[str, str] | None = None
    ) -> None:
        self.tables = tables
        self.graph = graph
        self.titles = titles or {}

    def diagram_graph(self) -> Graph:
        """Return the graph."""
        return self.graph

    def diagram_nodes(self) -> Iterable[TableId]:
        """Return the tables."""
        return self.tables

    def diagram_titles(self) -> Mapping[str, str]:
        """Return the titles."""
        return self.titles


ONE, TWO = Source(A, B, C), Source(D, P, E)


def shown(diagram: Diagram) -> str:
    """Return the tables in order, as one word."""
    return "".join(table.name.strip("_")[-1] for table in diagram.tables)


def test_generations() -> None:
    """``+ n`` and ``- n`` follow foreign keys of every kind, each one step, multiple ones included."""
    assert shown(Diagram(Source(A)) + 0) == "a"
    assert shown(Diagram(Source(A)) + 1) == "abd"
    assert shown(Diagram(Source(A)) + 2) == "abcdpe"
    assert shown(Diagram(Source(A)) + 99) == "abcdpe"
    assert shown(Diagram(Source(E)) - 1) == "de"
    assert shown(Diagram(Source(E)) - 2) == "acde"
    assert shown(Diagram(Source(C)) + 1 - 1) == "abcd"
    assert shown(Diagram(Source(C)) - 1 + 1) == "bcd"


def test_sets() -> None:
    """``+``, ``-`` and ``*`` are union, difference and intersection; anything drawable may stand right."""
    assert shown(Diagram(ONE) + Diagram(TWO)) == "abcdpe"
    assert shown(Diagram(ONE) + TWO - ONE) == "dpe"
    assert shown((Diagram(Source(A)) + 1) * (Diagram(Source(C)) - 1)) == "b"
    assert shown(Diagram(ONE) * TWO) == ""
    assert shown(Diagram.from_sequence([TWO, Source(A)])) == "adpe"


def test_operators_leave_their_operands_alone() -> None:
    """Each operation returns a new diagram."""
    start = Diagram(Source(A))
    _ = start + 2, start - Source(A), start + TWO, start * TWO, start.collapse(), start.add_parts()
    assert start.tables == (A,)
    assert start.collapsed == frozenset()


@pytest.mark.parametrize("wrong", ["A", 1.5, None])
def test_operators_refuse_other_things(wrong: object) -> None:
    """A diagram plus text is a type error."""
    with pytest.raises(TypeError):
        _ = Diagram(ONE) + wrong
    with pytest.raises(TypeError):
        _ = Diagram(ONE) - wrong
    with pytest.raises(TypeError):
        _ = Diagram(ONE) * wrong


def test_negative_generations_are_refused() -> None:
    """``+ -1`` is not taken for nothing."""
    with pytest.raises(DataJointError, match="negative"):
        _ = Diagram(ONE) + -1


def test_collapse_and_union() -> None:
    """What one operand shows as a table stays a table; what operators add is not collapsed."""
    collapsed = Diagram(ONE).collapse()
    assert collapsed.collapsed == {A, B, C}
    assert (collapsed + Source(B)).collapsed == {A, C}
    assert (collapsed + TWO).collapsed == {A, B, C}
    assert (collapsed + Diagram(ONE).collapse()).collapsed == {A, B, C}
    assert (collapsed + 1).collapsed == {A, B, C}
    assert D in collapsed + 1
    assert (collapsed - Source(A)).collapsed == {B, C}


def test_iteration_length_and_membership() -> None:
    """A diagram is a collection of its tables in dependency order."""
    diagram = Diagram(Source(E, P, D, A))
    assert list(diagram.tables) == [A, D, P, E]
    assert diagram.tables[::-1] == (E, P, D, A)
    assert len(diagram) == 4
    assert A in diagram
    assert C not in diagram
    assert Source(A, E) in diagram
    assert ONE not in diagram
    assert "a" not in diagram


def test_add_parts() -> None:
    """Parts come with their masters only when asked for."""
    assert shown(Diagram(Source(D)).add_parts()) == "dp"


def test_union_of_different_graphs_grows_in_both() -> None:
    """Two graphs unite: a table of one grows to children that only the other knows."""
    other = Graph([model("three", "x", A), model("three", "y", TableId("three", "x"))])
    united = Diagram(Source(A)) + Source(TableId("three", "x"), graph=other)
    assert {table.name for table in (united + 1).tables} == {"a", "b", "d", "x", "y"}


def test_sources() -> None:
    """A module and whatever has a schema are drawn as that schema; a diagram is a source itself."""
    module = ModuleType("pipeline")
    module.__dict__["schema"] = ONE
    assert shown(Diagram(module)) == "abc"
    assert shown(Diagram(SimpleNamespace(schema=TWO))) == "dpe"
    assert isinstance(Diagram(ONE), DiagramSource)
    assert shown(Diagram(Diagram(ONE))) == "abc"


def test_wrong_sources() -> None:
    """What cannot be drawn is refused by an error that says what can."""
    with pytest.raises(DataJointError, match="module 'empty' has no `schema`"):
        Diagram(ModuleType("empty"))
    with pytest.raises(DataJointError, match="pass a schema, a table or a module"):
        Diagram(42)
    with pytest.raises(MissingTableError, match=r"one\.Nothing is not among the known tables"):
        Diagram(Source(TableId("one", "nothing")))
    with pytest.raises(DataJointError, match="at least one"):
        Diagram.from_sequence([])
    with pytest.raises(DataJointError, match="direction is 'TB' or 'LR', not 'up'"):
        Diagram(ONE, direction="up")
