"""`djcli apply`: what it shows, what it asks, and when it refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from djcli.cli import console
from djcli.tables.declare import DECLARATION_LOCK

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
import djcli as dj

schema = dj.Schema("farm")


@schema
class Field(dj.Manual):
    definition = """
    field : int32
    ---
    crop = 'oats' : varchar(9)
    area : float64
    """


@schema
class Yield(dj.Computed):
    definition = """
    -> Field
    ---
    tons : float32
    """

    def make(self, key):
        self.insert1({**key, "tons": 2})
'''

WITHOUT_AREA = PIPELINE.replace("    area : float64\n", "")
MORE_YIELD = PIPELINE.replace("tons : float32", "tons : float32\n    price : float32")


@pytest.fixture
def farm(folder: Path, database_url: str, djcli: Run) -> Path:
    """Make a project with one pipeline, declared and filled; return the file of its module."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    module = folder / "pipelines" / "farm.py"
    module.write_text(PIPELINE)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    assert djcli("apply").code == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO farm.field VALUES (1, 'rye', 2.5), (2, 'oats', 3)")
    assert djcli("populate").code == 0
    return module


def edit(module: Path, text: str) -> None:
    """Change a pipeline, as an editor does between two runs."""
    module.write_text(text)
    sys.modules.pop("farm", None)


def test_safe_changes_run_without_a_question(djcli: Run, farm: Path) -> None:
    """The plan is shown, then what was done."""
    edit(
        farm, PIPELINE.replace("area : float64", "area : float64  # hectares\n    owner = 'me' : varchar(9)")
    )
    planned = djcli("apply", "--dry-run")
    assert planned.code == 0
    assert planned.out.splitlines() == [
        "farm.Field",
        "  ~ attribute area: comment '' becomes 'hectares'",
        "  + attribute owner = 'me' : varchar(9)  (rows get 'me', 2 rows)",
        "2 changes: 2 safe",
    ]
    done = djcli("apply")
    assert done.code == 0
    assert done.out.splitlines() == [
        *planned.out.splitlines(),
        "altered farm.Field: attribute area: comment '' becomes 'hectares'",
        "added to farm.Field: attribute owner = 'me' : varchar(9)",
    ]
    assert djcli("apply").err == "nothing to apply\n"
    assert djcli("diff", "--check").code == 0


def test_losing_data_needs_a_flag_and_a_yes(djcli: Run, farm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal names the command to repeat."""
    edit(farm, WITHOUT_AREA)
    refused = djcli("apply")
    assert refused.code == 3
    assert "- farm.Field: attribute area : float64  (DESTRUCTIVE: its values are lost, 2 rows)" in refused.out
    assert "djcli apply --allow-destructive" in refused.err
    nobody = djcli("apply", "Field", "--allow-destructive")
    assert nobody.code == 3
    assert "repeat with: djcli apply Field --allow-destructive --yes" in nobody.err
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n")
    assert djcli("apply", "--allow-destructive").code == 3
    assert djcli("diff", "--check").code == 4
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n")
    assert djcli("apply", "--allow-destructive").code == 0
    assert djcli("diff", "--check").code == 0


def test_what_is_blocked_is_an_error_with_its_reason(djcli: Run, farm: Path) -> None:
    """Whatever flags are given."""
    edit(farm, PIPELINE.replace("area : float64", "area : float64\n    soil : varchar(9)"))
    for flags in ((), ("--allow-destructive", "--yes"), ("--recompute",)):
        result = djcli("apply", *flags)
        assert result.code == 1
        assert "blocked: farm.Field: attribute soil : varchar(9): there are rows, and nothing" in result.err
        assert "nothing was changed" in result.err


def test_computed_tables_are_offered_to_be_computed_again(djcli: Run, farm: Path) -> None:
    """The command to repeat is named, with the number of rows."""
    edit(farm, MORE_YIELD)
    refused = djcli("apply")
    assert refused.code == 3
    assert "--recompute drops and declares anew: farm.Yield (2 rows to compute again)" in refused.out
    assert refused.err.rstrip().endswith("djcli apply --recompute")
    done = djcli("apply", "--recompute")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "dropped and declared farm.Yield: 2 rows to compute again"
    assert json.loads(djcli("show", "Yield", "--format", "json").out) == []


def test_renames_keep_data(djcli: Run, farm: Path, database_url: str) -> None:
    """The offer is in the plan, the option in the command to repeat."""
    edit(farm, PIPELINE.replace("area :", "hectares :").replace("Yield", "Harvest"))
    offered = djcli("diff").out
    assert "--rename Field.area=hectares" in offered
    assert "--rename Yield=Harvest" in offered
    half = djcli("apply", "--rename", "Yield=Harvest", "--rename", "Field.area=hectares", "--dry-run")
    assert half.out.splitlines()[-1] == "2 changes: 2 safe"
    assert djcli("apply", "--rename", "Yield=Harvest", "--rename", "Field.area=hectares").code == 0
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT hectares FROM farm.field ORDER BY 1").fetchall() == [(2.5,), (3.0,)]
        assert connection.execute("SELECT tons FROM farm.__harvest").fetchall() == [(2.0,), (2.0,)]
    wrong = djcli("apply", "--rename", "Field.aera=x")
    assert wrong.code == 2


def test_undeclared_tables_are_dropped_only_with_leave(djcli: Run, farm: Path) -> None:
    """Or left out of it."""
    edit(farm, PIPELINE[: PIPELINE.index("@schema\nclass Yield")])
    refused = djcli("apply")
    assert refused.code == 3
    assert (
        "- farm.Yield: the table is only in the database  (DESTRUCTIVE: the table is dropped, 2 rows)"
        in refused.out
    )
    assert djcli("apply", "--keep-extra").code == 0
    assert djcli("diff", "--keep-extra", "--check").code == 0
    assert djcli("apply", "Field").code == 0
    dropped = djcli("apply", "--allow-destructive", "--yes")
    assert (dropped.code, dropped.out.splitlines()[-1]) == (0, "dropped farm.Yield")


def test_a_second_apply_gives_up_in_time(djcli: Run, farm: Path, database_url: str) -> None:
    """And says who is in the way."""
    edit(farm, PIPELINE + "\n    class Part(dj.Part):\n        definition = '-> master\\nn : int32'\n")
    with psycopg.connect(database_url) as first:
        first.execute("SELECT pg_advisory_xact_lock(%s)", [DECLARATION_LOCK])
        result = djcli("apply", "--wait", "0")
        assert result.code == 1
        assert f"another apply is running (process {first.info.backend_pid}" in result.err
    assert djcli("apply", "--wait", "x").code == 2
    assert djcli("apply", "--wait", "1.5").code == 0


def test_history_lists_what_was_applied(djcli: Run, farm: Path) -> None:
    """The latest first, hidden from everything else."""
    edit(farm, PIPELINE.replace("'oats'", "'rye'"))
    assert djcli("apply").code == 0
    entries = json.loads(djcli("history", "--format", "json").out)
    assert [[change["change"] for change in entry["changes"]] for entry in entries] == [
        ["default-changed"],
        ["schema-missing", "table-missing", "table-missing"],
    ]
    assert entries[0]["statements"] == [
        """ALTER TABLE "farm"."field" ALTER COLUMN "crop" SET DEFAULT 'rye'"""
    ]
    lines = djcli("history", "--limit", "1").out.splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("altered farm.Field: attribute crop: default 'oats' becomes 'rye'")
    told = djcli("history").out
    assert "created schema farm" in told
    assert "declared farm.Field" in told
    assert "yet" not in told

    (first,) = json.loads(djcli("history", "*Yield*", "--format", "json").out)
    assert [change["done"] for change in first["changes"]] == ["declared farm.Yield"]
    assert djcli("history", "tier:imported").code == 2
    assert "djcli_history" not in djcli("ls").out
    assert djcli("diff", "--check").code == 0
    assert djcli("drop", "--all", "--yes").code == 0
    assert djcli("apply").code == 0
