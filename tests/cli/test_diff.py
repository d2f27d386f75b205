"""`djcli diff`: its groups and marks, exit codes, SQL and JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
import djcli as dj

schema = dj.Schema("mill")


@schema
class Grain(dj.Lookup):
    definition = """
    grain : varchar(9)
    ---
    price : float32
    """
    contents = [("oats", 1.5), ("rye", 2)]


@schema
class Sack(dj.Manual):
    definition = """
    sack : int32
    ---
    -> Grain
    weight : float32
    filled : date
    """
'''


@pytest.fixture
def mill(folder: Path, database_url: str) -> Path:
    """Make a project with one pipeline; return the file of its module."""
    (folder / "djcli.yaml").write_text("")
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "mill.py").write_text(PIPELINE)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    return folder / "pipelines" / "mill.py"


@pytest.mark.usefixtures("mill")
def test_what_is_missing_is_grouped_by_table(djcli: Run) -> None:
    """Nothing is changed by looking."""
    for _ in range(2):
        result = djcli("diff")
        assert (result.code, result.out.splitlines()) == (
            0,
            [
                "+ schema mill: the schema does not exist yet",
                "mill.Grain",
                "  + the table does not exist yet",
                "  + 2 rows of contents missing: oats; rye",
                "+ mill.Sack: the table does not exist yet",
                "4 changes: 4 safe",
            ],
        )
    assert djcli("diff", "--check").code == 4
    assert djcli("apply").code == 0
    settled = djcli("diff", "--check")
    assert (settled.code, settled.out, settled.err) == (0, "", "no difference\n")


def test_every_mark_and_risk_is_shown(djcli: Run, mill: Path, database_url: str) -> None:
    """In the text and in the JSON, whose form is documented."""
    assert djcli("apply").code == 0
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO mill.\"#grain\" VALUES ('corn', 1)")
        connection.execute("INSERT INTO mill.sack VALUES (1, 'rye', 50.5, '2020-01-01')")
    changed = PIPELINE.replace(
        "    weight : float32\n    filled : date\n", "    filled : date\n    kilos : int32\n"
    )
    mill.write_text(changed.replace("filled : date", "filled = null : datetime"))
    sys.modules.pop("mill", None)
    reason = "there are rows, and nothing tells its value for them: give it a default or allow null"
    assert djcli("diff").out.splitlines() == [
        "mill.Sack",
        "  ~ attribute filled: type date becomes datetime  (1 row)",
        "  ~ attribute filled: may be null",
        f"  + attribute kilos : int32  (BLOCKED: {reason})",
        "  - attribute weight : float32  (DESTRUCTIVE: its values are lost, 1 row)",
        "= mill.Grain: 1 row not among the contents (left alone): corn",
        "4 changes: 2 safe, 1 destructive, 1 blocked",
    ]
    told = json.loads(djcli("diff", "--format", "json").out)
    assert list(told) == ["version", "differs", "changes", "recompute", "statements"]
    assert (told["version"], told["differs"], told["recompute"]) == (1, True, [])
    assert told["changes"][3] == {
        "change": "attribute-removed",
        "mark": "-",
        "schema": "mill",
        "table": "Sack",
        "name": "sack",
        "text": "attribute weight : float32",
        "risk": "destructive",
        "reason": "its values are lost",
        "rows": 1,
        "estimated": False,
        "hint": "",
        "recomputable": False,
        "attribute": {"name": "weight", "type": "float32", "nullable": False},
    }
    assert told["changes"][4]["risk"] is None
    assert djcli("diff", "Grain", "--check").code == 0, "notes are no work to be done"


@pytest.mark.usefixtures("mill")
def test_sql_is_what_apply_would_run(djcli: Run, database_url: str) -> None:
    """As one transaction that any client can run."""
    script = djcli("diff", "--sql").out
    assert script.startswith("BEGIN;\nCREATE SCHEMA")
    assert script.endswith("COMMIT;\n")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(script.encode())
    assert djcli("diff", "--check").code == 0
    assert djcli("diff", "--sql").out == ""
    assert djcli("diff", "--sql", "--format", "json").code == 2


@pytest.mark.usefixtures("mill")
def test_a_schema_that_nothing_declares_any_more_is_a_note(djcli: Run, mill: Path) -> None:
    """Of those that were declared with this tool."""
    assert djcli("apply").code == 0
    mill.write_text(PIPELINE.replace('"mill"', '"mill2"'))
    sys.modules.pop("mill", None)
    assert "= schema mill: no pipeline declares this schema (left alone)" in djcli("diff").out
    assert djcli("apply").code == 0
    assert djcli("diff", "--check").code == 0
