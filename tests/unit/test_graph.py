"""The graph of foreign keys: neighbours, ancestry, parts and order."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import groupby
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.catalog.graph import Graph
from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.errors import DataJointError, MissingTableError


def table(name: str) -> TableId:
    """Return a table of the only schema."""
    return TableId("lab", name)


def model(name: str, *parents: str, secondary: tuple[str, ...] = ()) -> TableModel:
    """Return a table that has only foreign keys, one for each parent."""
    keys = [ForeignKey(table(parent), (("id", "id"),), in_key=True) for parent in parents]
    keys += [ForeignKey(table(parent), (("other", "id"),)) for parent in secondary]
    return TableModel(table(name), (), tuple(keys))


def names(tables: tuple[TableId, ...]) -> list[str]:
    """Return the names alone."""
    return [each.name for each in tables]


def test_neighbours_keep_every_foreign_key() -> None:
    """Two foreign keys to one parent are two edges, told apart by `primary`."""
    graph = Graph([model("neuron"), model("synapse", "neuron", "neuron", secondary=("neuron",))])
    assert [edge.parent.name for edge in graph.parents(table("synapse"))] == ["neuron"] * 3
    assert len(graph.parents(table("synapse"), primary=True)) == 2
    assert len(graph.children(table("neuron"), primary=False)) == 1
    assert graph.children(table("synapse")) == ()
    assert len(graph.edges) == 3


def test_a_parent_without_model_is_a_node() -> None:
    """A table that only a foreign key names is there, without a model."""
    graph = Graph([model("session", "subject"), model("trial", "session")])
    assert names(graph.nodes) == ["session", "trial", "subject"]
    assert table("subject") in graph
    assert table("subject") not in graph.models
    assert names(graph.topological_order()) == ["subject", "session", "trial"]


def test_ancestors_and_descendants_are_in_order() -> None:
    """Ancestors end with the table, descendants start with it, parents always first."""
    graph = Graph(
        [
            model("__summary", "session", "#method"),
            model("session", "subject"),
            model("subject"),
            model("#method"),
            model("other"),
        ]
    )
    assert names(graph.ancestors(table("__summary"))) == ["subject", "session", "#method", "__summary"]
    assert names(graph.descendants(table("subject"))) == ["subject", "session", "__summary"]
    assert names(graph.ancestors(table("other"))) == ["other"]


def test_parts_are_found_by_name_within_the_schema() -> None:
    """A part belongs to the master of its own schema; without one it belongs to nobody."""
    graph = Graph(
        [
            model("__scan"),
            model("__scan__roi", "__scan"),
            model("orphan__part"),
            TableModel(TableId("other", "__scan__roi"), ()),
        ]
    )
    assert names(graph.parts(table("__scan"))) == ["__scan__roi"]
    assert graph.master(table("__scan__roi")) == table("__scan")
    assert graph.master(table("orphan__part")) is None
    assert graph.master(table("__scan")) is None
    assert graph.master(TableId("other", "__scan__roi")) is None


def test_declaration_order_stays_where_it_can() -> None:
    """Tables in a possible order are left as they are."""
    declared = ["b", "a", "d", "c"]
    graph = Graph([model("b"), model("a"), model("d", "b"), model("c", "a")])
    assert names(graph.topological_order()) == declared


def test_parts_follow_their_master() -> None:
    """A part that needs a table declared later has it moved to before the master."""
    graph = Graph([model("session"), model("probe"), model("session__trial", "session", "probe")])
    assert names(graph.topological_order()) == ["probe", "session", "session__trial"]


def test_part_that_cannot_follow_its_master_comes_later() -> None:
    """A table between master and part keeps only that part away."""
    graph = Graph(
        [
            model("session"),
            model("session__late", "session", "event"),
            model("session__near", "session"),
            model("event", "session"),
        ]
    )
    order = names(graph.topological_order())
    assert order == ["session", "session__near", "event", "session__late"]


def test_parts_of_one_master_may_depend_on_each_other() -> None:
    """Parts are ordered among themselves."""
    graph = Graph([model("scan__cell", "scan__plane"), model("scan__plane", "scan"), model("scan")])
    assert names(graph.topological_order()) == ["scan", "scan__plane", "scan__cell"]


def test_order_among_some_heeds_the_tables_between() -> None:
    """Two tables joined only by a third keep their order."""
    graph = Graph([model("c", "b"), model("b", "a"), model("a")])
    assert names(graph.topological_order([table("c"), table("a")])) == ["a", "c"]


def test_self_reference_does_not_count() -> None:
    """A table may refer to itself."""
    graph = Graph([model("subject", secondary=("subject",)), model("session", "subject")])
    assert names(graph.topological_order()) == ["subject", "session"]
    assert names(graph.descendants(table("subject"))) == ["subject", "session"]


def test_circle_is_named_and_hurts_only_its_own_tables() -> None:
    """An order of tables in a circle is refused; one of the others is not."""
    graph = Graph([model("a", "c"), model("b", "a"), model("c", "b"), model("d", "a"), model("e")])
    with pytest.raises(DataJointError, match=r"circle.*lab\.A.*lab\.C") as caught:
        graph.topological_order()
    assert "lab.B" in str(caught.value)
    assert names(graph.topological_order([table("e"), table("d")])) == ["d", "e"]
    with pytest.raises(DataJointError, match="circle"):
        graph.ancestors(table("d"))
    assert names(graph.topological_order(strict=False)) == ["b", "c", "a", "d", "e"]


def test_unknown_table_is_refused_with_a_near_name() -> None:
    """A table that is not there gives an error that names a similar one."""
    graph = Graph([model("session")])
    with pytest.raises(MissingTableError, match=r"lab\.Sesion .*did you mean lab\.Session"):
        graph.parents(table("sesion"))
    with pytest.raises(MissingTableError):
        graph.topological_order([table("nothing")])


NAMES = ["m0", "m0__a", "m0__b", "m1", "m1__a", "m2", "m2__a", "m3", "m4"]


@given(
    st.permutations(range(len(NAMES))),
    st.permutations(range(len(NAMES))),
    st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8))),
)
def test_order_is_sound_for_any_graph(
    declared: list[int], depth: list[int], pairs: set[tuple[int, int]]
) -> None:
    """Every parent precedes its children, and parts are adjacent whenever grouping makes no circle."""
    links: dict[int, list[str]] = {i: [] for i in range(len(NAMES))}
    for parent, child in sorted(pairs):
        if depth[parent] < depth[child]:
            links[child].append(NAMES[parent])
    graph = Graph([model(NAMES[i], *links[i]) for i in declared])
    order = graph.topological_order()
    assert sorted(order) == sorted(graph.nodes)
    place = {each: i for i, each in enumerate(order)}
    assert all(place[edge.parent] < place[edge.child] for edge in graph.edges)
    masters = {each: graph.master(each) or each for each in graph.nodes}
    units = TopologicalSorter[TableId]()
    for edge in graph.edges:
        if masters[edge.parent] != masters[edge.child]:
            units.add(masters[edge.child], masters[edge.parent])
    try:
        units.prepare()
    except CycleError:
        return
    runs = [head for head, _ in groupby(order, masters.__getitem__)]
    assert len(runs) == len(set(runs))


def test_large_graph_is_quick() -> None:
    """A chain of 5,000 tables needs neither recursion nor quadratic time."""
    chain = [model(f"t{i}", f"t{i + 1}") for i in range(5000)]
    start = perf_counter()
    order = Graph(chain).topological_order()
    assert perf_counter() - start < 2
    assert order[0] == table("t5000")
    assert order[-1] == table("t0")
