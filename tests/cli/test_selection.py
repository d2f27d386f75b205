"""Selections on the command line: what each command makes of them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = """
import djcli as dj

schema = dj.Schema("farm")


@schema
class Animal(dj.Lookup):
    definition = "name : varchar(16)"
    contents = [("cow",), ("hen",)]


@schema
class Weighing(dj.Manual):
    definition = "-> Animal"

    class Scale(dj.Part):
        definition = "-> master\\nscale : int32"


@schema
class WeighingMean(dj.Computed):
    definition = "-> Weighing"

    def make(self, key):
        self.insert1(key)


@schema
class Report(dj.Computed):
    definition = "-> WeighingMean"

    def make(self, key):
        self.insert1(key)
"""

OTHER = """
import djcli as dj

schema = dj.Schema("shop")


@schema
class Customer(dj.Manual):
    definition = "customer : int32"
"""


@pytest.fixture
def farm(folder: Path, database_url: str) -> Path:
    """Make a project of two modules."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "farm.py").write_text(PIPELINE)
    (folder / "pipelines" / "market.py").write_text(OTHER)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    return folder


@pytest.fixture
def applied(farm: Path, djcli: Run) -> Path:
    """Declare it."""
    assert djcli("apply").code == 0
    return farm


@pytest.mark.usefixtures("farm")
@pytest.mark.parametrize(
    ("args", "listed"),
    [
        (["Weighing*"], "Weighing Weighing.Scale WeighingMean"),
        (["*ing.*"], "Weighing.Scale"),
        (["market.*"], "Customer"),
        (["+WeighingMean"], "Animal Weighing WeighingMean"),
        (["1+WeighingMean"], "Weighing WeighingMean"),
        (["Weighing+"], "Weighing Weighing.Scale WeighingMean Report"),
        (["Weighing+1"], "Weighing Weighing.Scale WeighingMean"),
        (["1+WeighingMean+"], "Weighing WeighingMean Report"),
        (["tier:computed"], "WeighingMean Report"),
        (["schema:shop", "Animal"], "Customer Animal"),
        (["Report,Animal"], "Report Animal"),
        (["Weighing+", "--exclude", "tier:part", "--exclude", "Report"], "Weighing WeighingMean"),
        (["--exclude", "farm.*"], "Customer"),
    ],
)
def test_ls_lists_what_is_selected(djcli: Run, args: list[str], listed: str) -> None:
    done = djcli("ls", *args, "--format", "json")
    assert [fact["table"] for fact in json.loads(done.out)] == listed.split()


@pytest.mark.usefixtures("farm")
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["ls", "Wieghing*"], "no table matches 'Wieghing*' in the pipelines - did you mean Weighing"),
        (["diff", "+Reports"], "there is no table 'Reports' in the pipelines - did you mean Report?"),
        (["apply", "tier:compted"], "there is no tier 'compted' - did you mean computed or imported?"),
        (["progress", "schema:fram"], "no table in the pipelines is in schema 'fram' - did you mean farm?"),
        (["ls", "tier:imported"], "no table in the pipelines is of tier imported"),
        (["drop", ",", "--yes"], "there is no table ''"),
        (["ls", "Animal", "--exclude", "Anmial"], "there is no table 'Anmial'"),
        (["ls", "Animal", "--exclude", "*"], "nothing is left"),
        (["populate", "Animal+1"], "none of the tables selected is a Computed or Imported table"),
        (["populate", "tier:computed", "Animal"], "Animal is a Lookup table"),
        (["describe", "Weighing+"], "'Weighing+' selects 4 tables (Weighing, Weighing.Scale, WeighingMean"),
        (["show", "Animal,Report"], "'Animal,Report' names 2 tables, but here goes only one"),
    ],
)
def test_a_wrong_selection_is_told(djcli: Run, args: list[str], said: str) -> None:
    done = djcli(*args)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


@pytest.mark.usefixtures("farm")
def test_diff_and_apply_leave_out_what_is_excluded(djcli: Run) -> None:
    done = djcli("apply", "+Weighing", "--exclude", "schema:shop")
    assert done.out.splitlines()[:3] == [
        "created schema farm",
        "declared farm.Animal",
        "declared farm.Weighing",
    ]
    assert djcli("diff", "--check", "+Weighing").code == 0
    assert djcli("diff", "--check").code == 4
    # a table in the database is none that nothing declares because it was left out of the comparison
    rest = djcli("diff", "--exclude", "Animal")
    assert "Animal" not in rest.out
    assert "- " not in rest.out
    assert "+ farm.Report: the table does not exist yet" in rest.out


@pytest.mark.usefixtures("farm")
def test_what_is_excluded_is_not_declared_by_a_back_door(djcli: Run) -> None:
    for command in ("diff", "apply"):
        refused = djcli(command, "--exclude", "Animal")
        assert refused.code == 2
        assert "Animal is excluded, but what is selected cannot change without it" in refused.err
    assert djcli("apply", "--exclude", "farm.*").code == 0


@pytest.mark.usefixtures("applied")
def test_a_selection_of_schemas_has_the_tables_that_nothing_declares(djcli: Run, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE farm.stray (a int PRIMARY KEY)")
        connection.execute("CREATE TABLE shop.stray (a int PRIMARY KEY)")
    told = djcli("diff", "schema:farm").out
    assert "- farm.Stray: the table is only in the database" in told
    assert "shop" not in told
    for args in (["farm.*"], ["schema:farm", "Customer"], ["schema:farm+"], ["--exclude", "Report"]):
        assert "Stray" not in djcli("diff", *args).out


@pytest.mark.usefixtures("applied")
def test_populate_and_progress_take_the_computed_tables_of_a_selection(djcli: Run) -> None:
    assert djcli("populate", "Animal+", "--exclude", "Report").out == "WeighingMean: 0 made in 0.0 s\n"
    told = json.loads(djcli("progress", "schema:*", "--format", "json").out)
    assert [fact["table"] for fact in told] == ["WeighingMean", "Report"]
    named = json.loads(djcli("progress", "Animal", "Rep*", "--format", "json").out)
    assert [fact["table"] for fact in named] == ["Animal", "Report"]


@pytest.mark.usefixtures("applied")
def test_a_pattern_passes_over_what_is_not_declared_but_a_name_does_not(
    djcli: Run, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute('DROP TABLE farm."__report"')
    assert "left out: Report" in djcli("progress", "tier:comp*").err
    assert "table Report is not declared" in djcli("progress", "tier:comp*", "Report").err


def test_relatives_are_found_through_a_virtual_module(command: Run, applied: Path, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA vault")
        connection.execute(
            'CREATE TABLE vault.link (name varchar(16) PRIMARY KEY REFERENCES farm."#animal" (name))'
        )
    (applied / "pipelines" / "beyond.py").write_text(
        "import djcli as dj\n\nschema = dj.Schema('beyond')\nvault = dj.VirtualModule('vault', 'vault')\n\n\n"
        "@schema\nclass Beyond(dj.Manual):\n    definition = '-> vault.Link'\n"
    )
    told = command("ls", "Animal+2", "--exclude", "farm.*", "--format", "json").out
    assert [fact["table"] for fact in json.loads(told)] == ["Beyond"]
    assert command("ls", "Animal+1", "--exclude", "farm.*").code == 2


@pytest.mark.usefixtures("applied")
def test_drop_keeps_what_is_excluded_or_does_nothing(djcli: Run) -> None:
    refused = djcli("drop", "Weighing", "--exclude", "Report", "--yes")
    assert refused.code == 2
    assert "Report is excluded, but depends on what is to be dropped" in refused.err
    alone = djcli("drop", "*Scale", "--yes")
    assert alone.code == 2
    assert "Weighing.Scale is a part and goes only with its master" in alone.err
    both = djcli("drop", "Animal", "--all")
    assert both.code == 2

    assert djcli("drop", "--exclude", "+Weighing", "--exclude", "Customer", "--yes").code == 0
    left = [fact["table"] for fact in json.loads(djcli("ls", "--format", "json").out) if fact["declared"]]
    assert left == ["Animal", "Weighing", "Weighing.Scale", "Customer"]


@pytest.mark.usefixtures("applied")
def test_diagram_draws_what_is_selected(djcli: Run) -> None:
    drawn = djcli("diagram", "+Report", "--exclude", "Animal", "--format", "text").out
    assert [line.split()[-2] for line in drawn.splitlines()] == ["Weighing", "WeighingMean", "Report"]


@pytest.mark.usefixtures("applied")
def test_apply_repeats_the_selection_quoted_for_the_shell(djcli: Run, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO farm.weighing VALUES ('cow')")
        connection.execute("ALTER TABLE farm.weighing ADD COLUMN extra int NOT NULL DEFAULT 1")
    refused = djcli("apply", "Weighing*", "--exclude", "schema:s*")
    assert refused.code == 3
    assert "djcli apply 'Weighing*' --exclude 'schema:s*' --allow-destructive" in refused.err


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("djcli ls Wei", "Weighing Weighing.Scale WeighingMean"),
        ("djcli diff 2+Rep", "2+Report"),
        ("djcli ls Animal,Cus", "Animal,Customer"),
        ("djcli describe market.C", "market.Customer"),
        ("djcli drop --exclude tier:c", "tier:computed"),
        ("djcli populate Zzz", ""),
    ],
)
def test_tab_completes_a_selection(command: Run, farm: Path, line: str, offered: str) -> None:
    (farm / "pipelines" / "market.py").write_text(OTHER + "\nprint('loaded')\n")
    number = str(len(line.split()) - 1)
    done = command(env={"_DJCLI_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": number})
    assert done.out.split() == offered.split()
    assert done.err == ""


def test_help_explains_selections(djcli: Run) -> None:
    told = " ".join(djcli("ls", "--help").out.split())
    assert "completion" not in told
    assert "str]" not in told
    for words in ("+Session with all it depends on", "2+Session", "tier:computed", "in quotes", "--exclude"):
        assert words in told
