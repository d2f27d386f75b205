"""The commands that work on tables, in the order in which a user meets them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import psycopg
import pytest

from djcli.cli import workspace
from djcli.cli.init import starter_text
from djcli.tables.instance import Instance

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
import djcli as dj

schema = dj.Schema("zoo")


@schema
class Animal(dj.Lookup):
    definition = """
    # Animals [bold]of[/bold] the zoo
    name : varchar(16)
    ---
    weight : float32
    """
    contents = [{"name": "a", "weight": 1.5}, {"name": "b", "weight": 2}, {"name": "c", "weight": 3}]


@schema
class Notes(dj.Manual):
    definition = """
    -> Animal
    ---
    text : varchar(100)
    """


@schema
class Doubled(dj.Computed):
    definition = """
    -> Animal
    ---
    double : float32
    """

    class Step(dj.Part):
        definition = """
        -> master
        step : int32
        """

    def make(self, key):
        weight = (Animal & key).fetch1("weight")
        print("making", key["name"])
        if weight == 2 and (Notes & key & "text = 'fail'"):
            raise ValueError("will not\\nfit")
        self.insert1({**key, "double": 2 * weight})
        self.Step.insert({**key, "step": step} for step in range(2))


@schema
class Quadrupled(dj.Computed):
    definition = """
    -> Doubled
    ---
    quadruple : float32
    """

    def make(self, key):
        self.insert1({**key, "quadruple": 2 * (Doubled & key).fetch1("double")})
'''


@pytest.fixture
def zoo(folder: Path, database_url: str) -> Path:
    """Make a project with one pipeline and a database of its own, nothing declared."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "zoo.py").write_text(PIPELINE)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    return folder


@pytest.fixture
def applied(zoo: Path, djcli: Run) -> Path:
    """Declare it."""
    assert djcli("apply").code == 0
    return zoo


@pytest.mark.usefixtures("zoo")
def test_apply_says_what_it_did_and_does_it_once(djcli: Run) -> None:
    before = djcli("diff", "--check")
    assert before.code == 4
    assert "+ zoo.Doubled.Step: the table does not exist yet" in before.out
    assert "  + 3 rows of contents missing: a; b; c" in before.out
    assert djcli("diff").code == 0

    first = djcli("apply")
    assert first.code == 0
    assert first.out.splitlines() == [
        "created schema zoo",
        "declared zoo.Animal",
        "declared zoo.Notes",
        "declared zoo.Doubled",
        "declared zoo.Doubled.Step",
        "declared zoo.Quadrupled",
        "inserted 3 rows into zoo.Animal",
    ]
    assert djcli("apply").err == "nothing to apply\n"
    assert djcli("diff", "--check").code == 0


def test_diff_tells_of_rows_and_tables_on_both_sides(djcli: Run, applied: Path, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM zoo.\"#animal\" WHERE name = 'b'")
        connection.execute("INSERT INTO zoo.\"#animal\" VALUES ('z', 1)")
        connection.execute("CREATE TABLE zoo.stray (a int PRIMARY KEY)")
    changes = {
        change["change"]: change for change in json.loads(djcli("diff", "--format", "json").out)["changes"]
    }
    assert changes["lookup-rows-missing"]["keys"] == [["b"]]
    assert changes["lookup-rows-extra"]["keys"] == [["z"]]
    stray = changes["table-extra"]
    assert (stray["schema"], stray["table"], stray["name"]) == ("zoo", "Stray", "stray")
    assert djcli("diff", "--check").code == 4
    refused = djcli("apply")
    assert refused.code == 3, "a table that only the database has would be dropped"
    assert "--keep-extra" in refused.err
    assert djcli("apply", "--keep-extra").out == "inserted 1 row into zoo.Animal\n"
    assert "stray" not in djcli("diff", "Animal").out
    assert djcli("diff", "Animal", "--check").code == 0, "rows beyond the contents are no work to be done"
    assert applied.is_dir()


@pytest.mark.usefixtures("zoo")
def test_what_is_not_declared_is_said_with_what_to_do(djcli: Run) -> None:
    for args in (("progress",), ("populate",), ("show", "Animal"), ("progress", "Doubled")):
        result = djcli(*args)
        assert result.code == 1, args
        assert "djcli apply" in result.err, args
    listed = djcli("ls")
    assert listed.code == 0
    assert listed.out.count("not declared") == 5


@pytest.mark.usefixtures("applied")
def test_ls_lists_tables_with_their_rows(djcli: Run) -> None:
    lines = djcli("ls").out.splitlines()
    assert lines[1].split(maxsplit=4) == ["Animal", "lookup", "zoo", "3", "Animals [bold]of[/bold] the zoo"]
    facts = json.loads(djcli("ls", "Doubled.Step", "--format", "json").out)
    assert facts == [
        {
            "table": "Doubled.Step",
            "module": "zoo",
            "schema": "zoo",
            "name": "__doubled__step",
            "tier": "part",
            "declared": True,
            "rows": 0,
            "comment": "",
        }
    ]


@pytest.mark.usefixtures("applied")
def test_populate_and_progress(djcli: Run) -> None:
    some = djcli("populate", "Doubled", "-r", "name=a")
    assert (some.code, some.out.split(" in ")[0]) == (0, "Doubled: 1 made")
    assert some.err == "making a\n"
    assert json.loads(djcli("progress", "Doubled", "--format", "json").out) == [
        {
            "schema": "zoo",
            "table": "Doubled",
            "name": "__doubled",
            "rows": 1,
            "done": 1,
            "remaining": 2,
            "percent": pytest.approx(33.3, abs=0.1),
        }
    ]
    assert djcli("progress").out.splitlines() == [
        "table       rows  done  remaining  percent",
        "Doubled        1     1          2      33%",
        "Quadrupled     0     0          1       0%",
    ]
    assert djcli("populate", "--max-calls", "1").out.count("1 made") == 2
    everything = djcli("populate")
    assert [line.split(" in ")[0] for line in everything.out.splitlines()] == [
        "Doubled: 1 made",
        "Quadrupled: 2 made",
    ]
    assert "100%" in djcli("progress").out


@pytest.mark.usefixtures("applied")
def test_restrictions_are_typed_and_apply_where_their_attribute_is(djcli: Run) -> None:
    assert djcli("populate", "-r", "name>=b", "-r", "name!=c").out.startswith("Doubled: 1 made")
    nothing = djcli("populate", "Quadrupled", "-r", "name=zz")
    assert nothing.code == 0
    assert "Quadrupled: no key has name=zz" in nothing.err
    wrong = djcli("populate", "-r", "nmae=1")
    assert (wrong.code, wrong.out) == (2, "")
    assert "did you mean name" in wrong.err
    assert "(they have name; the tables that they depend on have weight, double)" in wrong.err
    text = djcli("show", "Animal", "-r", "weight=heavy")
    assert text.code == 2
    assert "float32" in text.err
    assert djcli("show", "Animal", "-r", "weight").code == 2


def fail_for_b(url: str) -> None:
    """Let the make of b fail."""
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO zoo.notes VALUES ('b', 'fail')")


@pytest.mark.usefixtures("applied")
def test_the_first_failure_ends_populate_and_is_told_with_its_key(djcli: Run, database_url: str) -> None:
    fail_for_b(database_url)
    result = djcli("populate")
    assert result.code == 1
    assert result.out.split(" in ")[0] == "Doubled: 1 made, 1 failed"
    assert "Quadrupled" not in result.out
    line = 1 + PIPELINE.splitlines().index('            raise ValueError("will not\\nfit")')
    assert result.err.splitlines()[-2:] == [
        "1 failed:",
        f"  Doubled name=b: ValueError: will not (pipelines/zoo.py:{line})",
    ]
    assert "Traceback" in djcli("populate", "-v").err


@pytest.mark.usefixtures("applied")
def test_failures_can_be_passed_over(djcli: Run, database_url: str) -> None:
    fail_for_b(database_url)
    result = djcli("populate", "--suppress-errors")
    assert result.code == 1
    lines = [line.split(" in ")[0] for line in result.out.splitlines()]
    assert lines == ["Doubled: 2 made, 1 failed", "Quadrupled: 2 made"]
    assert "  Doubled name=b: ValueError" in result.err


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("name", ["Animal", "Notes", "Doubled.Step"])
def test_there_is_nothing_to_compute_in_a_table_of_another_tier(djcli: Run, name: str) -> None:
    result = djcli("populate", name)
    assert result.code == 2
    assert f"{name} is a " in result.err


def test_interrupting_populate_keeps_what_is_done(djcli: Run, applied: Path, database_url: str) -> None:
    path = applied / "pipelines" / "zoo.py"
    slow = 'print("waiting", file=__import__("sys").stderr, flush=True)\n            __import__("time").sleep(60)'
    path.write_text(PIPELINE.replace('raise ValueError("will not\\nfit")', slow))
    fail_for_b(database_url)
    args = [sys.executable, "-m", "djcli.cli.main", "populate"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while "waiting" not in said:
            line = process.stderr.readline()
            assert line, f"it ended before it was interrupted: {said}"
            said += line
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out.startswith("Doubled: 1 made in")
    assert "interrupted" in err
    assert [row["name"] for row in json.loads(djcli("show", "Doubled", "--format", "json").out)] == ["a"]


@pytest.mark.usefixtures("applied")
def test_show_in_every_form(djcli: Run) -> None:
    table = djcli("show", "Animal", "--limit", "2")
    assert table.out.splitlines() == ["name  weight", "a        1.5", "b        2.0"]
    assert table.err == "2 of 3 rows\n"
    assert json.loads(djcli("show", "Animal", "--format", "json").out)[0] == {"name": "a", "weight": 1.5}
    rows = list(csv.DictReader(StringIO(djcli("show", "Animal", "-r", "weight>1.5", "--format", "csv").out)))
    assert [row["name"] for row in rows] == ["b", "c"]
    assert djcli("show", "Notes", "--format", "json").out == "[]\n"
    assert djcli("show", "Animal", "--limit", "-1").code == 2


@pytest.mark.usefixtures("zoo")
def test_describe_needs_no_database(djcli: Run) -> None:
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://127.0.0.1:1/nowhere"
    assert djcli("describe", "zoo.Quadrupled").out == "-> Doubled\n---\nquadruple : float32\n"
    assert djcli("describe").code == 2


@pytest.mark.usefixtures("zoo")
def test_diagrams_need_no_database(djcli: Run, tmp_path: Path) -> None:
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://127.0.0.1:1/nowhere"
    redirected = djcli("diagram").out
    assert redirected.lstrip().startswith(("<svg", "<?xml"))
    assert "Quadrupled" in redirected
    assert "digraph" in djcli("diagram", "--format", "dot").out
    together = djcli("diagram", "--collapse", "tier:computed", "--format", "text").out
    assert "Animal" in together
    assert "more tables)" in together
    assert "Quadrupled" not in together
    assert djcli("diagram", "--collapse", "tier:compted").code == 2
    only = djcli("diagram", "Animal", "Notes", "--format", "mermaid").out
    assert "Notes" in only
    assert "Doubled" not in only
    assert djcli("diagram", "-o", "x.png").out == ""
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert djcli("diagram", "--format", "bmp").code == 2
    for file, words in (("x", "'x' does not say its format"), ("no/x.svg", "there is no folder no")):
        told = djcli("diagram", "-o", file)
        assert (told.code, words in told.err) == (2, True)
    assert djcli("diagram", "-o", "-", "--format", "mermaid").out.startswith("flowchart")


@pytest.mark.usefixtures("applied")
def test_drop_says_what_goes_and_asks(djcli: Run) -> None:
    djcli("populate")
    refused = djcli("drop", "Doubled")
    assert refused.code == 3
    assert "--yes" in refused.err
    assert "zoo.Quadrupled" in refused.out
    assert "zoo.Doubled.Step" in refused.out
    shown = djcli("drop", "--dry-run")
    assert (shown.code, len(shown.out.splitlines())) == (0, 6)
    assert shown.err == "would drop 5 tables\n"
    told = json.loads(djcli("drop", "Doubled", "--dry-run", "--format", "json").out)
    assert told["rows"] == sum(table["rows"] for table in told["tables"]) > 0
    assert [(table["table"], table["name"], table["asked"]) for table in told["tables"]] == [
        ("Quadrupled", "__quadrupled", False),
        ("Doubled.Step", "__doubled__step", False),
        ("Doubled", "__doubled", True),
    ]
    assert djcli("ls").out.count("not declared") == 0
    dropped = djcli("drop", "Doubled", "--yes")
    assert (dropped.code, dropped.err) == (0, "dropped 3 tables\n")
    assert djcli("ls").out.count("not declared") == 3
    part = djcli("drop", "Doubled.Step", "--yes")
    assert part.code == 2
    assert djcli("drop", "--yes").code == 0
    assert json.loads(djcli("drop", "--yes", "--format", "json").out) == {"rows": 0, "tables": []}
    assert djcli("drop", "--yes").err == "nothing to drop: none of the tables is in the database\n"
    assert djcli("apply").code == 0, "all can be declared again"


def test_a_bare_drop_leaves_what_is_not_declared(djcli: Run, applied: Path, database_url: str) -> None:
    (applied / "pipelines" / "zoo.py").write_text(PIPELINE[: PIPELINE.index("@schema\nclass Quadrupled")])
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE zoo.stray (a int PRIMARY KEY)")

    def tables() -> set[str]:
        with psycopg.connect(database_url) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'zoo'").fetchall()
        return {name for (name,) in rows if not name.startswith("~")}

    assert djcli("drop", "--yes").code == 0
    assert tables() == {"stray"}
    assert djcli("drop", "Animal", "--all", "--yes").code == 2
    assert djcli("drop", "--all", "--yes").code == 0
    assert tables() == set()


def test_a_broken_module_stops_only_what_needs_it(djcli: Run, applied: Path) -> None:
    (applied / "pipelines" / "broken.py").write_text("import djcli\n\n1/0\n")
    for args, code in (
        (("ls",), 0),
        (("show", "Animal"), 0),
        (("populate", "Doubled"), 0),
        (("populate",), 1),
        (("apply",), 1),
        (("apply", "Animal"), 0),
        (("diff",), 0),
        (("diff", "--check"), 1),
        (("drop", "--yes"), 1),
        (("apply", "-p", "zoo"), 0),
    ):
        result = djcli(*args)
        assert result.code == code, args
        if "-p" not in args:
            assert f"{applied}/pipelines/broken.py, line 3: ZeroDivisionError" in result.err, args


def test_a_reference_to_an_unknown_table_is_told_with_its_line(djcli: Run, zoo: Path) -> None:
    (zoo / "pipelines" / "zoo.py").write_text(PIPELINE.replace("-> Doubled", "-> Dubled"))
    result = djcli("apply")
    assert result.code == 1
    assert "Quadrupled: line 2" in result.err
    assert "Doubled" in result.err


def test_a_key_attribute_of_its_own_is_told_for_a_computed_table(djcli: Run, zoo: Path) -> None:
    (zoo / "pipelines" / "zoo.py").write_text(
        PIPELINE.replace("-> Doubled\n", "-> Doubled\n    own : int32\n")
    )
    result = djcli("apply")
    assert result.code == 1
    assert "'own'" in result.err


def test_a_name_that_is_too_long_is_told(djcli: Run, zoo: Path) -> None:
    name = "T" + "x" * 70
    (zoo / "pipelines" / "zoo.py").write_text(PIPELINE.replace("Quadrupled", name))
    result = djcli("apply")
    assert result.code == 1
    assert "63" in result.err


def test_a_wrong_definition_shows_its_place(djcli: Run, zoo: Path) -> None:
    (zoo / "pipelines" / "zoo.py").write_text(PIPELINE.replace("quadruple : float32", "quadruple ; float32"))
    result = djcli("apply")
    assert result.code == 1
    assert "Quadrupled: line 4, column" in result.err
    assert "^" in result.err


def test_the_number_of_statements_does_not_grow_with_the_tables(
    djcli: Run, applied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def watched(*args: object, **options: object) -> Instance:
        instance = Instance(*args, **options)  # type: ignore[arg-type]
        instance.connection.observers.append(statements.append)
        return instance

    monkeypatch.setattr(workspace, "Instance", watched)

    def counts() -> dict[str, int]:
        found: dict[str, int] = {}
        for command in ("ls", "progress"):
            statements.clear()
            assert djcli(command).code == 0
            found[command] = len(statements)
        return found

    few = counts()
    assert few["ls"] <= 4
    assert few["progress"] <= 4
    table = dedent(
        '''
        @schema
        class More{n}(dj.Computed):
            definition = """
            -> Animal
            """
            def make(self, key):
                self.insert1(key)
        '''
    )
    more = "".join(table.format(n=n) for n in range(20))
    (applied / "pipelines" / "more.py").write_text(
        f"import djcli as dj\nfrom zoo import Animal, schema\n{more}"
    )
    assert djcli("apply").code == 0
    assert counts() == few


def test_demo_makes_a_project_and_runs_it_twice(djcli: Run, folder: Path, database_url: str) -> None:
    os.environ["DJCLI_DATABASE_URL"] = database_url
    for _ in range(2):
        result = djcli("demo")
        assert result.code == 0, result.err
        assert result.out.count("100%") == 5
        for command in ("apply", "populate", "show SessionSummary", "diagram -o pipeline.svg", "progress"):
            assert f"$ djcli {command}" in result.out
    assert "0.46933332" in result.out
    root = folder / "djcli-demo"
    assert "SessionSummary" in (root / "pipeline.svg").read_text()
    assert (root / "pipelines" / "tutorial.py").is_file()
    assert Path.cwd() == folder


def test_the_demo_has_the_tutorial_of_the_repository() -> None:
    repository = Path(__file__).parents[2] / "pipelines" / "tutorial.py"
    assert starter_text("tutorial.py.txt") == repository.read_text()


@pytest.mark.usefixtures("applied")
def test_a_guard_tells_which_lines_break_the_contract(djcli: Run) -> None:
    told = (
        "make of Doubled reads the table Notes, which Doubled does not depend on: when its rows change, nothing tells "
        "that Doubled is out of date; add '-> Notes' to the definition of Doubled, or of a table that it depends on\n"
    )
    warned = djcli("populate", "Doubled", "--guard", "warn")
    assert (warned.code, warned.out.split(" in ")[0]) == (0, "Doubled: 3 made")
    assert "warning: make of Doubled breaks its contract in 1 place:\nwarning:   pipelines/" in warned.err
    assert warned.err.endswith(f".py:44: {told}")
    djcli("delete", "Doubled", "--yes")
    assert djcli("populate", "Quadrupled", "--guard", "error").code == 0
    wrong = djcli("populate", "--guard", "strict")
    assert (wrong.code, wrong.out) == (2, "")
    assert "'strict' is not one of warn, error" in wrong.err
