"""The grammar of selections: read and printed, and held against a plain model of sets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djcli.catalog.graph import Graph
from djcli.definition.model import ForeignKey, TableId, TableModel
from djcli.errors import SelectionError
from djcli.names import Tier, table_name
from djcli.project.selection import Candidate, Chooser
from djcli.project.terms import By, Term, parse_terms

PIECE = st.from_regex(r"[A-Za-z*][A-Za-z0-9_*]{0,6}", fullmatch=True)
GENERATIONS = st.none() | st.integers(0, 12)
TERMS = st.builds(
    Term,
    pattern=st.lists(PIECE, min_size=1, max_size=3).map(".".join),
    by=st.sampled_from(By),
    above=GENERATIONS,
    below=GENERATIONS,
)


@given(st.lists(TERMS, max_size=4), st.sampled_from([" ", ",", ", ", "\n"]))
def test_what_is_printed_is_read_back(terms: list[Term], between: str) -> None:
    assert parse_terms(map(str, terms)) == tuple(terms)
    if terms:
        assert parse_terms([between.join(map(str, terms))]) == tuple(terms)


@given(st.text(alphabet="aB1+*.:,- \0é", max_size=12))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        terms = parse_terms([text])
    except SelectionError:
        return
    assert parse_terms(map(str, terms)) == terms


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("Session", Term("Session")),
        ("+Session", Term("Session", above=None)),
        ("Session+", Term("Session", below=None)),
        ("2+Session", Term("Session", above=2)),
        ("Session+10", Term("Session", below=10)),
        ("0+Session+3", Term("Session", above=0, below=3)),
        ("+a.Session.Trial+", Term("a.Session.Trial", above=None, below=None)),
        ("tier:computed", Term("computed", By.TIER)),
        ("+schema:tut*+1", Term("tut*", By.SCHEMA, None, 1)),
        ("a+b", Term("a+b")),
    ],
)
def test_terms(text: str, term: Term) -> None:
    assert parse_terms([text]) == (term,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("+", "'+' names no table"),
        ("3+", "'3+' names no table"),
        ("tier:", "says no tier"),
        ("teir:computed", "cannot select by 'teir:' in 'teir:computed' - did you mean tier:?"),
        ("Session:Trial", "there are tier: and schema:"),
    ],
)
def test_what_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(SelectionError, match=re.escape(said)):
        parse_terms([text])


# ---- choosing --------------------------------------------------------------------------------------

NAMES = ("A", "Ab", "B", "Ba", "Bab", "C")
TIERS = (Tier.MANUAL, Tier.LOOKUP, Tier.IMPORTED, Tier.COMPUTED)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[list[Candidate], dict[int, set[int]]]:
    """Return tables of two schemas, and for each the numbers of its parents."""
    size = draw(st.integers(1, 8))
    chosen = draw(
        st.lists(
            st.tuples(st.sampled_from(("one", "two")), st.sampled_from(NAMES), st.sampled_from(TIERS)),
            min_size=size,
            max_size=size,
            unique_by=lambda each: each[:2],
        )
    )
    tables = [
        Candidate(TableId(schema, table_name(tier, name)), tier, (name, f"{schema}.{name}"))
        for schema, name, tier in chosen
    ]
    parents = {place: draw(st.sets(st.integers(0, place - 1))) if place else set() for place in range(size)}
    return tables, parents


def graph(tables: list[Candidate], parents: dict[int, set[int]]) -> Graph:
    """Return the graph of tables, declared last to first."""
    return Graph(
        TableModel(tables[place].id, (), tuple(ForeignKey(tables[each].id, (("a", "a"),)) for each in above))
        for place, above in reversed(parents.items())
    )


def steps(links: dict[int, set[int]], start: set[int], number: int | None) -> set[int]:
    """Walk so many links, or all, one after the other."""
    found = set(start)
    for _ in range(len(links) if number is None else number):
        found |= {each for place in found for each in links[place]}
    return found


def expected(tables: list[Candidate], parents: dict[int, set[int]], term: Term) -> set[int]:
    """Say what a term stands for, in the words of sets."""
    pattern = re.compile(re.escape(term.pattern).replace(r"\*", ".*"))
    dotted = "." in term.pattern or "*" not in term.pattern
    start = set[int]()
    for place, table in enumerate(tables):
        texts = {
            By.NAME: table.names if dotted else table.names[:1],
            By.TIER: (table.tier.name.lower(),),
            By.SCHEMA: (table.id.schema,),
        }[term.by]
        if any(map(pattern.fullmatch, texts)):
            start.add(place)
    children = {place: {child for child, above in parents.items() if place in above} for place in parents}
    return steps(parents, start, term.above) | steps(children, start, term.below)


SOME_TERMS = st.one_of(
    st.builds(
        Term,
        st.sampled_from([*NAMES, "one.A", "two.Ba", "*", "A*", "*b", "B*b", "one.*", "*.A*", "Zzz"]),
        st.just(By.NAME),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 3),
    ),
    st.builds(Term, st.sampled_from(["manual", "computed", "*ed", "part"]), st.just(By.TIER)),
    st.builds(Term, st.sampled_from(["one", "t*"]), st.just(By.SCHEMA), below=st.none() | st.just(1)),
)


@given(pipelines(), st.lists(SOME_TERMS, max_size=3), st.lists(SOME_TERMS, max_size=2))
def test_a_selection_is_the_union_of_its_terms_without_what_is_excluded(
    made: tuple[list[Candidate], dict[int, set[int]]], terms: list[Term], exclude: list[Term]
) -> None:
    tables, parents = made
    groups = [expected(tables, parents, term) for term in terms]
    out = [expected(tables, parents, term) for term in exclude]
    wanted = set[int]().union(*groups) if terms else set(range(len(tables)))
    wanted -= set[int]().union(*out)
    plain = [term for term in (*terms, *exclude) if term.by is By.NAME and "*" not in term.pattern]
    ambiguous = any(sum(term.pattern in each.names for each in tables) > 1 for term in plain)
    chooser = Chooser(tables, lambda: graph(tables, parents))
    if not wanted or ambiguous or not all([*groups, *out]):
        with pytest.raises(SelectionError):
            chooser.choose(terms, exclude)
        return
    found = [tables.index(each) for each in chooser.choose(terms, exclude)]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    if len(terms) == 1:  # parents first
        for place, number in enumerate(found):
            assert not steps(parents, {number}, None) & set(found[place + 1 :])
