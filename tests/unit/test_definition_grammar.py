"""The grammar: what each kind of line means, and what the errors say and where they point."""

from __future__ import annotations

import re
import textwrap

import pytest

from djcli.definition.attribute import Default
from djcli.definition.grammar import (
    AttributeSpec,
    ForeignKeySpec,
    IndexSpec,
    ParsedTable,
    parse_definition,
)
from djcli.errors import DefinitionError


def only(text: str) -> AttributeSpec:
    """Return the one secondary attribute of a table."""
    (item,) = parse_definition(f"k : int32\n---\n{text}").secondary
    assert isinstance(item, AttributeSpec)
    return item


def reference(text: str) -> ForeignKeySpec:
    """Return the one secondary foreign key of a table."""
    (item,) = parse_definition(f"k : int32\n---\n{text}").secondary
    assert isinstance(item, ForeignKeySpec)
    return item


def failure(text: str) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text)
    return caught.value


# ---- the whole --------------------------------------------------------------------------------------


def test_a_whole_definition() -> None:
    parsed = parse_definition(
        """
        # Trials of a session
        # a second comment line
        -> Session      # whose

        trial_id : int16  # counted from 1
        -----   # what follows depends on it
        # choices
        -> [nullable] lab.Stimulus.proj(stim_id='stimulus_id', )
        choice = "left" : enum('left', 'right')
        index (choice)
        UNIQUE  INDEX(trial_id, choice)  # both
        """
    )
    assert parsed.comment == "Trials of a session"
    session, trial = parsed.primary
    assert session == ForeignKeySpec("Session", (), nullable=False, unique=False, line=4, column=12)
    assert isinstance(trial, AttributeSpec)
    assert (trial.name, trial.type.text, trial.comment, trial.line, trial.column) == (
        "trial_id",
        "int16",
        "counted from 1",
        6,
        9,
    )
    stimulus, choice, *indexes = parsed.secondary
    assert stimulus == ForeignKeySpec(
        "lab.Stimulus", (("stim_id", "stimulus_id"),), nullable=True, unique=False, line=9, column=23
    )
    assert stimulus.projection == {"stim_id": "stimulus_id"}
    assert isinstance(choice, AttributeSpec)
    assert choice.default == Default("left")
    assert indexes == [
        IndexSpec(("choice",), unique=False, line=11, column=9),
        IndexSpec(("trial_id", "choice"), unique=True, line=12, column=9),
    ]


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("# one\na : int32", "one"),
        ("\n\n  #  {one} 'it''s' \"x\" : # % \\ 😀 \na : int32", "{one} 'it''s' \"x\" : # % \\ 😀"),
        ("a : int32\n# late", ""),
        ("a : int32", ""),
        ("#\n# second\na : int32", ""),
    ],
)
def test_the_table_comment_is_a_first_line(text: str, comment: str) -> None:
    assert parse_definition(text).comment == comment


def test_sections() -> None:
    def names(parsed: ParsedTable) -> tuple[list[str], list[str]]:
        first, second = (
            [item.name for item in items if isinstance(item, AttributeSpec)]
            for items in (parsed.primary, parsed.secondary)
        )
        return first, second

    assert names(parse_definition("a : int32\nb : int32")) == (["a", "b"], [])
    assert names(parse_definition("a : int32\n---\nb : int32")) == (["a"], ["b"])
    assert names(parse_definition("---\nb : int32")) == ([], ["b"])
    assert names(parse_definition("------")) == ([], [])


def test_windows_line_ends_and_tabs() -> None:
    assert parse_definition("a\t:\tint32 # c\r\n---\r\nb = 'x' : char(1)\r\n") == parse_definition(
        "a\t:\tint32 # c\r\n---\r\nb = 'x' : char(1)\r\n"
    )
    (item,) = parse_definition("a\t:\tint32 # c\r\n---\r\n").primary
    assert isinstance(item, AttributeSpec)
    assert (item.type.text, item.comment) == ("int32", "c")


# ---- attributes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("x : int32", None),
        ("x = 5 : int32", Default("5")),
        ('x="5":int32', Default("5")),
        ("x = -1.5 : float32", Default("-1.5")),
        ("x = True : bool", Default("true")),
        ("x = left : varchar(9)", Default("left")),
        ("x = two words : varchar(9)", Default("two words")),
        ("x = '' : varchar(9)", Default("")),
        ("x = 'null' : varchar(9)", Default("null")),
        ("x = 'a:b#c' : varchar(9)", Default("a:b#c")),
        ('x = "it\'s" : varchar(9)', Default("it's")),
        ("x = 'it''s' : varchar(9)", Default("it's")),
        (r"x = 'a\' : varchar(9)", Default("a\\")),
        (r"x = E'a\n\'\\' : varchar(9)", Default("a\n'\\")),
        ("x = '{%s}😀' : varchar(9)", Default("{%s}😀")),
        ("x = CURRENT_TIMESTAMP : datetime", Default("CURRENT_TIMESTAMP", is_expression=True)),
        ("x = current_timestamp(3) : datetime(3)", Default("CURRENT_TIMESTAMP(3)", is_expression=True)),
        (
            "x = (now() + '1 day'::interval) : datetime",
            Default("now() + '1 day'::interval", is_expression=True),
        ),
        ("x = gen_random_uuid() : uuid", Default("gen_random_uuid()", is_expression=True)),
    ],
)
def test_defaults(text: str, default: Default | None) -> None:
    assert only(text).default == default
    assert not only(text).nullable


@pytest.mark.parametrize("text", ["x = null : int32", "x=NULL:<blob>", "x = Null : json # null"])
def test_null_default_means_nullable(text: str) -> None:
    assert only(text).nullable
    assert only(text).default is None


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("x : int32#close", "close"),
        ("x : int32 #", ""),
        ("x : int32 # a # b", "a # b"),
        ('x : int32 # :int32: {it\'s} "q" %s \\ 😀', ':int32: {it\'s} "q" %s \\ 😀'),
        ("x : enum('#', \"it's\") # '", "'"),
        ("x : int # plain", "plain"),
        ("x : int # :plain", ":plain"),
    ],
)
def test_comments(text: str, comment: str) -> None:
    assert only(text).comment == comment


@pytest.mark.parametrize("name", ["user", "select", "order", "index", "unique", "proj", "a1_", "null"])
def test_words_of_sql_and_of_the_grammar_can_be_names(name: str) -> None:
    assert only(f"{name} : int32").name == name


# ---- foreign keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parent"),
    [
        ("-> Parent", "Parent"),
        ("->Parent#c", "Parent"),
        ("-> module.Parent", "module.Parent"),
        ("-> Master.Part", "Master.Part"),
        ("-> a . b .C", "a.b.C"),
        ("-> master", "master"),
        ("-> Parent()", "Parent"),
        ("-> Parent.proj()", "Parent"),
        ("-> Parent().proj( )", "Parent"),
        ("-> proj", "proj"),
    ],
)
def test_parents(text: str, parent: str) -> None:
    assert reference(text).parent == parent
    assert reference(text).renames == ()


@pytest.mark.parametrize(
    ("text", "nullable", "unique"),
    [
        ("-> [nullable] P", True, False),
        ("-> [unique] P", False, True),
        ("->[unique,nullable]P", True, True),
        ("-> [ Nullable , UNIQUE ] P", True, True),
        ("-> [nullable] [unique] P", True, True),
    ],
)
def test_options(text: str, nullable: bool, unique: bool) -> None:
    assert (reference(text).nullable, reference(text).unique) == (nullable, unique)


def test_projections() -> None:
    assert reference("-> P.proj(a='b', c=\"d\")").projection == {"a": "b", "c": "d"}
    assert reference("-> P().proj('a', b='c')").projection == {"a": "a", "b": "c"}


# ---- errors -----------------------------------------------------------------------------------------

ERRORS = [
    ("a", 2, "the type of a is missing"),
    ("a = 5", 6, "the type of a is missing"),
    ("a # c", 3, "the type of a is missing"),
    ("a :", 4, "the type of a is missing"),
    ("a : # c", 5, "the type of a is missing"),
    ("a int32", 3, "expected '=' or ':' after the attribute name a"),
    ("a b : int32", 3, "expected '=' or ':'"),
    ("Foo : int32", 1, "did you mean foo?"),
    ("2x : int32", 1, "must be a small letter"),
    ("é : int32", 1, "must be a small letter"),
    ("a-b : int32", 1, "must be a small letter"),
    ("_x : int32", 1, "leading underscore is reserved"),
    (f"{'x' * 64} : int32", 1, "64 bytes long"),
    (": int32", 1, "expected an attribute"),
    ("'a' : int32", 1, "expected an attribute"),
    ("a : vachar(16)", 5, "did you mean varchar"),
    ("  a : datetime(7)", 7, "from 0 to 6"),
    ("a : int32 : x", 5, "unknown type 'int32 : x'"),
    ("a = : int32", 5, "the default is missing"),
    ("a = abc : int32", 5, "'abc' is not a value of int32"),
    ("a = 300 : int8", 5, "it holds -128 to 127"),
    ("a = up : enum('left','right')", 5, "'up' is no label"),
    ("a = 'x : int32", 5, "this quote is never closed"),
    ("a = (1 : int32", 5, "this parenthesis is never closed"),
    ("a = 'x' y : int32", 5, "more after the closing quote"),
    ("a = x 'y' : int32", 5, "put all of it in quotes"),
    ("a : enum('x", 10, "this quote is never closed"),
    ("a : enum('x'", 9, "this parenthesis is never closed"),
    ("a = '' : <blob>", 5, "the only default of <blob> is null"),
    ("a = 1 : serial", 5, "the database numbers the rows"),
    ("a = null : serial", 5, "the database numbers the rows"),
    ("a : int # :int32: x", 9, "would be read as a type"),
    ("a : varchar(3)\0", 15, "cannot be stored"),
    ("a : int32 # \ud800", 13, "cannot be stored"),
    ("--", 1, "three dashes or more"),
    ("--- x", 5, "nothing but a comment can follow the dashes"),
    ("->", 3, "a foreign key names its parent"),
    ("-> # c", 4, "a foreign key names its parent"),
    ("-> 'P'", 4, "a foreign key names its parent"),
    ("-> P Q", 6, "only a comment can follow P"),
    ("-> [nulable] P", 5, "unknown foreign-key option 'nulable' - did you mean nullable?"),
    ("-> [xyz] P", 5, "the options are nullable or unique"),
    ("-> [] P", 5, "expected an option"),
    ("-> [unique P", 12, "expected ',' or ']'"),
    ("-> P.proj(a=b)", 13, "stands in quotes"),
    ("-> P.proj(a)", 12, "expected '='"),
    ("-> P.proj('a'='b')", 11, "stands without quotes"),
    ("-> P.proj(A='b')", 11, "did you mean a?"),
    ("-> P.proj(_a='b')", 11, "leading underscore"),
    ("-> P.proj(a='B c')", 13, "'B c' is not the name of an attribute"),
    ("-> P.proj(a='b'", 16, "expected ',' or ')'"),
    ("-> P.proj(a='b", 13, "never closed"),
    ("-> P.proj(a='b', a='c')", 18, "a stands twice"),
    ("-> P.proj(a='b', c='b')", 18, "'b' stands twice"),
    ("-> P.proj(a='b') c", 18, "only a comment can follow"),
    ("-> P.proj(,)", 11, "expected new='old'"),
    ("index()", 7, "expected the name of an attribute"),
    ("index(a", 8, "expected ',' or ')'"),
    ("index(a b)", 9, "expected ',' or ')'"),
    ("index(A)", 7, "'A' is not the name of an attribute"),
    ("index(a, a)", 10, "a stands twice"),
    ("unique index(a) x", 17, "nothing but a comment"),
]


@pytest.mark.parametrize(("text", "column", "message"), ERRORS)
def test_errors_point_at_the_place(text: str, column: int, message: str) -> None:
    before = "k : int32\n---\n" if not text.startswith("--") or text.startswith("->") else "k : int32\n"
    error = failure(f"{before}{text}\nz : int32\n")
    assert message in error.message
    assert "\n" not in error.message
    assert (error.line, error.column) == (before.count("\n") + 1, column)
    assert error.source is not None
    caret = str(error).splitlines()[-1]
    assert caret.index("^") - 2 == column - 1


def test_the_error_shows_the_line_with_a_caret() -> None:
    assert str(failure("\n    name : vachar(16)  # who\n").with_table("Person")) == textwrap.dedent(
        """\
        Person: line 2, column 12: unknown type 'vachar(16)' - did you mean varchar or char?
              name : vachar(16)  # who
                     ^"""
    )


def test_a_tab_does_not_move_the_caret() -> None:
    error = failure("\ta\t: nope")
    assert (error.source, error.column) == (" a : nope", 6)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a : int32\na : int64", 2, "attribute a is declared at line 1 already"),
        ("a : int32\n---\n\na : int64", 4, "attribute a is declared at line 1 already"),
        ("a : int32\n---\nb : int32\n---\nc : int32", 4, "a second line of dashes: the key ended at line 2"),
        ("a = null : int32", 1, "a belongs to the primary key: it cannot be null"),
        ("-> [nullable] P", 1, "a foreign key of the primary key cannot be nullable"),
        ("a : json", 1, "a belongs to the primary key: it cannot be json"),
        ("a : jsonb", 1, "it cannot be jsonb"),
        ("a : <blob>", 1, "it cannot be <blob>"),
        ("", 1, "the definition declares nothing"),
        ("\n# only a comment\n", 1, "the definition declares nothing"),
    ],
)
def test_errors_of_more_than_one_line(text: str, line: int, message: str) -> None:
    error = failure(text)
    assert message in error.message
    assert error.line == line


def test_unknown_codecs_are_placed() -> None:
    error = failure("a : int32\n---\nb : <blbo>")
    assert (error.line, error.column) == (3, 5)
    assert re.search("blob", error.message)
