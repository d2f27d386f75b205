"""The drawings of diagrams: DOT, Mermaid, text and images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djcli.catalog.graph import Graph
from djcli.definition.model import Attribute, ForeignKey, TableId, TableModel
from djcli.definition.types import AttributeType
from djcli.diagram import Diagram
from djcli.diagram.image import render
from djcli.errors import DataJointError
from djcli.names import display_name
from djcli.settings import config

GOLDEN = Path(__file__).with_name("test_diagram_golden")


class Source:
    """All tables of a graph, or those of some schemas."""

    def __init__(self, models: Iterable[TableModel], *schemas: str, **titles: str) -> None:
        self.graph = Graph(models)
        self.schemas = schemas
        self.titles = titles

    def diagram_graph(self) -> Graph:
        """Return the graph."""
        return self.graph

    def diagram_nodes(self) -> Iterable[TableId]:
        """Return the tables."""
        return [table for table in self.graph.nodes if not self.schemas or table.schema in self.schemas]

    def diagram_titles(self) -> Mapping[str, str]:
        """Return the titles."""
        return self.titles


Parent = TableModel | tuple[TableModel, dict[str, str]]


def make(
    table: tuple[str, str],
    *keys: Parent,
    own: str = "",
    rest: str = "",
    secondary: Iterable[Parent] = (),
    comment: str = "",
) -> TableModel:
    """Return a table; attributes as ``name:type`` between commas, renamed parents with a dict old to new."""
    attributes: dict[str, Attribute] = {}
    foreign_keys: list[ForeignKey] = []

    def refer(parent: Parent, in_key: bool) -> None:
        target, renamed = parent if isinstance(parent, tuple) else (parent, {})
        columns = tuple((renamed.get(name, name), name) for name in target.primary_key)
        foreign_keys.append(ForeignKey(target.id, columns, in_key))
        for mine, theirs in columns:
            attributes.setdefault(mine, Attribute(mine, target[theirs].type, in_key, inherited=True))

    def declare(text: str, in_key: bool) -> None:
        for name, kind in (item.split(":") for item in text.split(";") if item):
            kind_name = kind.partition("(")[0]
            attributes[name] = Attribute(name, AttributeType(kind_name, kind, kind_name), in_key)

    for key in keys:
        refer(key, in_key=True)
    declare(own, in_key=True)
    for parent in secondary:
        refer(parent, in_key=False)
    declare(rest, in_key=False)
    return TableModel(TableId(*table), tuple(attributes.values()), tuple(foreign_keys), comment=comment)


def tutorial() -> list[TableModel]:
    """Return the tables of the computation tutorial."""
    name = "tutorial_computation"
    subject = make((name, "subject"), own="subject_id:varchar(16)", rest="species:varchar(50)")
    session = make((name, "session"), subject, own="session_idx:int32", rest="session_date:date")
    trial = make(
        (name, "session__trial"),
        session,
        own="trial_idx:int32",
        rest="stimulus:varchar(50);response:varchar(50);correct:bool;reaction_time:decimal(3,2)",
    )
    method = make((name, "#analysis_method"), own="method_name:varchar(32)", rest="description:varchar(255)")
    summary = make(
        (name, "__session_summary"),
        session,
        rest="n_trials:int32;n_correct:int32;accuracy:float32;mean_rt:float32",
        comment="Summary statistics for each session",
    )
    analysis = make(
        (name, "__session_analysis"),
        session,
        method,
        rest="score:float32",
        comment="Analysis with configurable method",
    )
    trials = make(
        (name, "__trial_analysis"), session, rest="n_analyzed:int32", comment="Per-trial analysis results"
    )
    result = make(
        (name, "__trial_analysis__trial_result"),
        trials,
        own="trial_idx:int32",
        rest="rt_percentile:float32;is_fast:bool",
    )
    subjects = make(
        (name, "__subject_summary"),
        subject,
        rest="n_sessions:int32;total_trials:int64;overall_accuracy:float32",
        comment="Summary across all sessions for a subject",
    )
    check = make((name, "__quality_check"), session, rest="passes_threshold:bool")
    return [subject, session, trial, method, summary, analysis, trials, result, subjects, check]


def ephys(session: TableModel) -> list[TableModel]:
    """Return a second schema: imported tables, renamed and secondary foreign keys, two to one parent."""
    probe = make(("ephys", "#probe"), own="probe:varchar(8)")
    recording = make(("ephys", "_recording"), session, secondary=[probe])
    neuron = make(("ephys", "_neuron"), recording, own="neuron:int32")
    synapse = make(
        ("ephys", "__synapse"),
        (neuron, {"neuron": "pre"}),
        (neuron, {"neuron": "post"}),
        rest="weight:float32",
    )
    return [probe, recording, neuron, synapse]


def both(direction: str = "TB") -> Diagram:
    """Return a diagram of two schemas."""
    models = tutorial()
    return Diagram(Source([*models, *ephys(models[1])], ephys="electro"), direction=direction)


def svg_text(svg: str) -> list[str]:
    """Return the pieces of text that an SVG document shows; raises unless it is XML."""
    root = ElementTree.fromstring(svg)
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", ["tutorial.dot", "tutorial.mmd", "tutorial.txt"])
def test_tutorial_is_drawn_as_recorded(name: str) -> None:
    """The sources of the tutorial's drawings are, to the byte, the recorded ones."""
    diagram = Diagram(Source(tutorial()), direction="TB")
    assert diagram.encode(Path(name).suffix).decode() == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", ["both.dot", "both.mmd", "both.txt"])
def test_two_schemas_are_drawn_as_recorded(name: str) -> None:
    """So are those of two schemas with renamed, multiple and secondary foreign keys, one collapsed."""
    models = tutorial()
    first = Diagram(Source(models), direction="LR").collapse()
    diagram = first + Source([*models, *ephys(models[1])], "ephys", ephys="electro")
    assert diagram.encode(Path(name).suffix).decode() == (GOLDEN / name).read_text()


def test_lines_tell_the_kinds_of_foreign_keys() -> None:
    """Thick for the whole key, thin for a part of it, dashed outside, a label for a renamed attribute."""
    lines = {
        (match[1], match[2]): line
        for line in both().make_dot().splitlines()
        if (match := re.match(r'\s*"[^"]*\.([#\w]+)" -> "?[^"]*\.([#\w]+)"? \[', line))
    }
    assert "penwidth=2.6" in lines["session", "__session_summary"]
    assert "penwidth=1 " in lines["session", "session__trial"]
    assert "style=dashed" in lines["#probe", "_recording"]
    assert "style=dashed" not in lines["session", "_recording"]
    assert both().make_dot().count("post=neuron") > 0
    assert both().make_mermaid().count("Neuron ---|") == 2


def test_tables_with_an_own_key_attribute_are_underlined() -> None:
    """Underlined is what adds a dimension."""
    dot = both().make_dot()
    assert set(re.findall(r"<<u>(.*?)</u>>", dot)) == {
        "Subject",
        "Session",
        "Session.Trial",
        "AnalysisMethod",
        "TrialAnalysis.TrialResult",
        "Probe",
        "Neuron",
    }


def test_svg_shows_every_table_and_schema() -> None:
    """The SVG is XML; it holds the labels, titles and renamings, and definitions as tooltips."""
    svg = both().make_svg()
    shown = svg_text(svg)
    for label in ("Session", "Session.Trial", "Recording", "electro", "tutorial_computation"):
        assert label in shown
    assert any("pre=neuron" in piece for piece in shown)
    assert "# Summary statistics for each session&#10;subject_id : varchar(16)" in svg
    assert svg.data == svg
    assert svg._repr_svg_().startswith("<?xml")
    assert both()._repr_html_().startswith('<div style="overflow-x: auto"><svg')


def test_direction() -> None:
    """The chain of tables runs across the page or down it; by default as the setting says."""
    places = {}
    for direction in ("LR", "TB"):
        root = ElementTree.fromstring(both(direction).make_svg())
        texts = {element.text: element for element in root.iter("{http://www.w3.org/2000/svg}text")}
        places[direction] = [
            float(texts["Synapse"].attrib[axis]) - float(texts["Subject"].attrib[axis]) for axis in "xy"
        ]
    assert places["LR"][0] > 250 > places["LR"][1]
    assert places["TB"][1] > 150
    with config.override({"display.diagram_direction": "LR"}):
        assert Diagram(Source(tutorial())).make_mermaid().startswith("flowchart LR\n")
    assert both("LR").make_mermaid().startswith("flowchart LR\n")


def test_tooltip_can_be_replaced() -> None:
    """The description under the pointer is the caller's choice."""
    diagram = Diagram(both(), tooltip=lambda model: f"about {model.id.name}")
    assert 'tooltip="about session__trial"' in diagram.make_dot()


def test_collapsed_schema_is_one_node() -> None:
    """A collapsed schema is a node with its number of tables; a table of it shown as such stands beside."""
    models = tutorial()
    all_of_it = Diagram(Source(models), direction="TB").collapse()
    assert "tutorial_computation" in svg_text(all_of_it.make_svg())
    assert "(10 tables)" in svg_text(all_of_it.make_svg())
    one = Diagram(Source(models[:1])) + all_of_it
    assert "(9 more tables)" in svg_text(one.make_svg())
    assert '[["(9 more tables)"]]' in one.make_mermaid()
    assert "(9 more tables)" in one.make_text()


def test_schemas_of_one_title_are_told_apart() -> None:
    """Two schemas of one module show their own names as well."""
    models = [make(("a", "x"), own="i:int32"), make(("b", "y"), own="j:int32")]
    assert {"pipe (a)", "pipe (b)"} <= set(svg_text(Diagram(Source(models, a="pipe", b="pipe")).make_svg()))


def test_circle_of_tables_can_be_drawn() -> None:
    """Tables that have no order, and one that refers to itself, are drawn all the same."""
    ids = [TableId("s", name) for name in ("a", "b")]
    models = [TableModel(ids[i], (), (ForeignKey(ids[1 - i], ()), ForeignKey(ids[i], ()))) for i in (0, 1)]
    diagram = Diagram(Source(models))
    assert svg_text(diagram.make_svg()) == ["B", "A"]
    assert diagram.make_dot().count("->") >= 4
    assert diagram.make_text().splitlines() == ["B  manual  (-> A)", "A  manual  (-> B)"]


def test_no_tables() -> None:
    """An empty diagram has drawings, too."""
    diagram = Diagram(both()) - both()
    assert svg_text(diagram.make_svg()) == []
    assert repr(diagram) == "(a diagram of no tables)"
    assert diagram.make_mermaid() == "flowchart TB\n"


odd_name = st.text(
    st.characters(
        exclude_characters="\ufffe\uffff", exclude_categories=["Cs", "Cc"], include_characters="\n\t"
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(odd_name, min_size=3, max_size=3, unique_by=lambda name: " ".join(name.split())), odd_name)
def test_any_name_is_drawn_as_it_is(names: list[str], comment: str) -> None:
    """Whatever schemas, tables, attributes and comments are called, every format holds just that text."""
    first, second, attribute = names
    parent = make((first, second), own="a:int32", comment=comment)
    child = make((second, first), (parent, {"a": attribute}), own="b:int32")
    diagram = Diagram(Source([parent, child]), direction="LR")
    shown = [first, second, *(display_name(table.name) for table in diagram.tables)]
    labels = {" ".join(name.split()) or '""' for name in shown}
    svg = [" ".join(piece.split()) for piece in svg_text(diagram.make_svg())]
    assert labels <= set(svg)
    quoted = re.findall(r'"([^"]*)"', diagram.make_mermaid())
    assert labels <= {re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text) for text in quoted}
    assert not any(re.search(r"[<>`]", text.replace("<br>", "")) for text in quoted)
    text = diagram.make_text()
    assert len(text.splitlines()) == 2
    assert all(each.isprintable() for each in text.replace("\n", ""))


@pytest.mark.parametrize(
    "name",
    ["<b>bold</b>", "a&lt;b", 'say "hi"', "back\\slash\\N", "a|b{c}", "é日本😀", "end", "%41;", "x:y:n"],
)
def test_hostile_names(name: str) -> None:
    """Names that mean something in DOT, HTML or Mermaid are shown letter for letter."""
    parent = make(("lab", name), own="id:int32", comment=name)
    child = make((name, "child"), parent, own="n:int32")
    diagram = Diagram(Source([parent, child]))
    svg = diagram.make_svg()
    drawn = [piece.replace("\xa0", " ") for piece in svg_text(svg)]
    label = name.capitalize() if name == "end" else name
    assert {label, name, "lab", "Child"} == set(drawn)
    titles = [value for value in re.findall(r'xlink:title="([^"]*)"', svg) if value.startswith("#")]
    assert unescape(titles[0]).splitlines()[0] == f"# {name}"
    shown = re.findall(r'"([^"]*)"', diagram.make_mermaid())
    assert label in [re.sub(r"#(\d+);", lambda code: chr(int(code[1])), text) for text in shown]
    assert name in diagram.make_text()


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("p.svg", b"<?xml"),
        ("p.PNG", b"\x89PNG"),
        ("p.dot", b"digraph"),
        ("p.gv", b"digraph"),
        ("p.mmd", b"flowchart TB"),
        ("p.mermaid", b"flowchart TB"),
        ("p.txt", b"tutorial_computation.Subject"),
    ],
)
def test_save_by_suffix(tmp_path: Path, name: str, start: bytes) -> None:
    """The suffix chooses the format."""
    both().save(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_save_with_format_and_failures(tmp_path: Path) -> None:
    """A format can be named; one that is unknown, and a folder that is not there, are one-line errors."""
    both().save(str(tmp_path / "picture"), format="PNG")
    assert (tmp_path / "picture").read_bytes() == both().make_png()
    with pytest.raises(DataJointError, match="tells no format"):
        both().save(tmp_path / "picture")
    with pytest.raises(DataJointError, match=r"unknown diagram format '\.doc': choose one of svg, png"):
        both().save(tmp_path / "picture.doc")
    with pytest.raises(DataJointError, match=r"cannot write the diagram to .*No such file"):
        both().save(tmp_path / "nowhere" / "picture.dot")


def test_pdf_needs_the_systems_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PDF is made by ``dot`` where there is one; without, the error says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataJointError, match="PDF needs the system's Graphviz"):
        both().encode("pdf")
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\nread line\necho "%PDF $1 $line"\n')
    program.chmod(0o755)
    assert both().encode("pdf") == b"%PDF -Tpdf digraph pipeline {\n"
    program.write_text("#!/bin/sh\necho first >&2\necho broken >&2\nexit 3\n")
    with pytest.raises(DataJointError, match=r"failed on the diagram \(broken\)"):
        both().encode("pdf")


def test_layout_failure_is_one_line() -> None:
    """What the layout program says about bad input is the error."""
    with pytest.raises(DataJointError, match=r"layout program .* failed on the diagram \(.*syntax error.*\)"):
        render("digraph {", "svg")


def test_large_diagram_is_quick() -> None:
    """Two hundred tables are laid out within seconds."""
    models: list[TableModel] = []
    for i in range(200):
        parents = [models[j] for j in {i * 7 // 8, i * 5 // 9} if j < i]
        models.append(make((f"s{i // 50}", f"_table{i}"), *parents, own=f"a{i}:int32"))
    diagram = Diagram(Source(models))
    start = perf_counter()
    assert len(svg_text(diagram.make_svg())) == 204
    assert perf_counter() - start < 3
