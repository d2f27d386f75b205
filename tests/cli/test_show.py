"""`djcli show`: columns, order, limits, formats, files; and that it changes nothing."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow.ipc
import pyarrow.parquet
import pytest

from tests.memory import BY_ITSELF

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PIPELINE = '''
    import datetime, decimal, uuid
    import djcli as dj
    import numpy as np

    schema = dj.Schema("mixed")


    @schema
    class Kind(dj.Lookup):
        definition = """
        kind : int32
        ---
        label : varchar(20)
        """
        contents = [(1, "one"), (2, "two, or so"), (3, 'a "third"')]


    @schema
    class Item(dj.Lookup):
        definition = """
        -> Kind
        item : int32
        ---
        price : decimal(8,2)
        code = null : uuid
        day : date
        stamp : datetime
        flag : bool
        size = null : float64
        raw = null : bytes
        meta = null : json
        """
        contents = [
            (1, 1, "1.50", uuid.UUID(int=7), "2026-01-06", "2026-01-06 10:00:00", True, 0.1, b"\\x00a", {"a": [1]}),
            (1, 2, "0.10", None, "2026-01-05", "2026-01-06 10:00:01", False, None, None, None),
            (2, 1, "7.00", None, "2026-01-04", "2026-01-06 10:00:02", True, float("nan"), b"", "text"),
        ]


    @schema
    class Trace(dj.Lookup):
        definition = "trace : int32\\n---\\nvalues : <blob>"
        contents = [(1, np.arange(3))]


    @schema
    class Many(dj.Manual):
        definition = "many : int32\\n---\\ntext : varchar(100)"
'''


@pytest.fixture
def applied(folder: Path, djcli: Run, database_url: str) -> Path:
    """Declare the pipeline."""
    os.environ["DJCLI_DATABASE_URL"] = database_url
    (folder / "pipelines").mkdir()
    (folder / "pipelines" / "mixed.py").write_text(dedent(PIPELINE))
    assert djcli("apply").code == 0
    return folder


def out(djcli: Run, *args: str) -> str:
    """Return what a successful run prints."""
    result = djcli("show", *args)
    assert result.code == 0, result.err
    return result.out


def column(djcli: Run, *args: str) -> list[Any]:
    """Return the values of the one column shown."""
    rows = [json.loads(line) for line in out(djcli, *args, "--format", "jsonl").splitlines()]
    return [next(iter(row.values())) for row in rows]


@pytest.mark.usefixtures("applied")
def test_columns_and_order(djcli: Run) -> None:
    assert out(djcli, "Item", "--columns", "price,KEY", "--format", "csv") == (
        "price,kind,item\n1.50,1,1\n0.10,1,2\n7.00,2,1\n"
    )
    assert column(djcli, "Item", "--columns", "price", "--order-by", "day") == ["7.00", "0.10", "1.50"]
    assert column(djcli, "Item", "--columns", "price", "--order-by", "KEY DESC") == ["7.00", "0.10", "1.50"]
    by_two = column(
        djcli, "Item", "--columns", "price", "--order-by", "flag desc", "--order-by", "price DESC"
    )
    assert by_two == ["7.00", "1.50", "0.10"]
    assert column(djcli, "Item", "--columns", "price", "--order-by", "item") == [
        "1.50",
        "7.00",
        "0.10",
    ]  # then KEY


@pytest.mark.usefixtures("applied")
def test_limit_and_offset(djcli: Run) -> None:
    assert column(djcli, "Item", "--columns", "price", "--limit", "1", "--offset", "1") == ["0.10"]
    assert column(djcli, "Item", "--columns", "price", "--offset", "2", "--order-by", "price") == ["7.00"]
    assert column(djcli, "Item", "--columns", "price", "--limit", "0") == []
    table = djcli("show", "Item", "--columns", "price", "--offset", "1", "--limit", "5")
    assert table.out == "price\n 0.10\n 7.00\n"
    assert table.err == "2 of 3 rows\n"


@pytest.mark.usefixtures("applied")
def test_count_and_sql(djcli: Run) -> None:
    assert out(djcli, "Item", "--count", "-r", "label=one") == "2\n"
    sql = out(djcli, "Item", "--sql", "-r", "label=one", "--columns", "price", "--limit", "5").splitlines()
    assert sql[0].startswith('SELECT "t1"."price" FROM "mixed"."#item" AS "t1" WHERE EXISTS (')
    assert sql[1:] == ["-- p0 = 'one'", "-- p1 = 5", "-- p2 = 0"]
    told = json.loads(out(djcli, "Item", "--sql", "-r", "price>1", "--format", "json"))
    assert told["parameters"] == {"p0": "1.00"}
    assert "ORDER BY" in told["sql"]


@pytest.mark.usefixtures("applied")
def test_sql_needs_no_database(djcli: Run) -> None:
    os.environ["DJCLI_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nowhere"
    assert out(djcli, "Item", "--sql").startswith("SELECT ")


@pytest.mark.usefixtures("applied")
def test_text_formats(djcli: Run) -> None:
    rows = json.loads(out(djcli, "Item", "--format", "json"))
    assert rows[0] == {
        "kind": 1,
        "item": 1,
        "price": "1.50",
        "code": "00000000-0000-0000-0000-000000000007",
        "day": "2026-01-06",
        "stamp": "2026-01-06 10:00:00",
        "flag": True,
        "size": 0.1,
        "raw": "\\x0061",
        "meta": {"a": [1]},
    }
    lines = out(djcli, "Item", "--format", "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.DictReader(StringIO(out(djcli, "Kind", "--format", "csv"))))
    assert [row["label"] for row in table] == ["one", "two, or so", 'a "third"']
    assert out(djcli, "Many", "--format", "json") == "[]\n"
    assert out(djcli, "Many", "--format", "jsonl") == ""
    assert out(djcli, "Many", "--format", "csv") == "many,text\n"


@pytest.mark.usefixtures("applied")
def test_files_and_their_formats(djcli: Run, folder: Path) -> None:
    first = djcli("show", "Item", "-o", "items.parquet")
    assert (first.code, first.out, first.err) == (0, "", "wrote 3 rows to items.parquet\n")
    table = pyarrow.parquet.read_table(folder / "items.parquet")
    assert table.column("price").to_pylist()[0].as_tuple().exponent == -2
    assert table.num_rows == 3
    refused = djcli("show", "Item", "-o", "items.parquet")
    assert refused.code == 3
    assert "repeat with --yes" in refused.err
    assert djcli("show", "Item", "-o", "items.parquet", "--yes", "--limit", "1").code == 0
    assert pyarrow.parquet.read_table(folder / "items.parquet").num_rows == 1
    assert djcli("show", "Kind", "-o", "kinds.out", "--format", "jsonl").code == 0
    assert len((folder / "kinds.out").read_text().splitlines()) == 3
    assert sorted(path.name for path in folder.iterdir()) == ["items.parquet", "kinds.out", "pipelines"]


@pytest.mark.usefixtures("applied")
def test_binary_formats_go_into_a_pipe() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "djcli.cli.main", "show", "Item", "--format", "arrow", "--columns", "KEY"],
        capture_output=True,
        check=True,
    )
    assert pyarrow.ipc.open_file(BytesIO(done.stdout)).read_all().to_pydict() == {
        "kind": [1, 1, 2],
        "item": [1, 2, 1],
    }


@pytest.mark.usefixtures("applied")
def test_what_a_codec_stores(djcli: Run) -> None:
    assert out(djcli, "Trace") == "trace  values\n    1  <blob>\n"
    assert json.loads(out(djcli, "Trace", "--format", "json")) == [{"trace": 1, "values": [0, 1, 2]}]
    refused = djcli("show", "Trace", "-o", "trace.csv")
    assert refused.code == 2
    assert "attribute 'values' (<blob>) has no form in csv: choose others with --columns" in refused.err
    assert not Path("trace.csv").exists()


MISTAKES = [
    (("--columns", "prize"), "there is no attribute 'prize' - did you mean price or size?"),
    (("--columns", ","), "it names no attribute"),
    (("--order-by", "prize"), "there is no attribute 'prize' - did you mean price or size?"),
    (("--order-by", "price down"), "cannot order by 'price down'"),
    (("--offset", "-1"), "'-1' is no whole number from zero up"),
    (("--limit", "9" * 19), "is no whole number from zero up"),
    (("--format", "xlsx"), "'xlsx' is not one of table, csv, tsv, json, jsonl, parquet, arrow"),
    (("-o", "items.xlsx"), "'items.xlsx' does not say its format"),
    (("-o", "items.csv", "--format", "table"), "a file needs another format than table"),
    (("-o", "there/items.csv"), "there is no folder there"),
    (("--count", "--limit", "3"), "it takes --restrict, and no other option"),
    (("--sql", "-o", "items.csv"), "it is printed: leave out --output"),
]


@pytest.mark.usefixtures("applied")
def test_mistakes(djcli: Run) -> None:
    for args, message in MISTAKES:
        result = djcli("show", "Item", *args)
        assert (result.code, result.out) == (2, ""), args
        assert message in " ".join(result.err.split())


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what transactions begin with."""
    seen: list[str] = []
    begin = psycopg.Connection._get_tx_start_command

    def recorded(connection: Any) -> bytes:
        command = begin(connection)
        seen.append(command.decode())
        return command

    monkeypatch.setattr(psycopg.Connection, "_get_tx_start_command", recorded)
    return seen


@pytest.mark.usefixtures("applied")
def test_nothing_can_be_changed(djcli: Run, statements: list[str]) -> None:
    for args in ((), ("--count",), ("--format", "csv")):
        out(djcli, "Item", *args)
    assert statements == ["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"] * 3


@pytest.mark.usefixtures("applied")
def test_memory_stays_flat(database_url: str, soak: Callable[[int, int], int]) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO mixed.many SELECT i, repeat('x', 100) FROM generate_series(1, 60000) i"
        )
    program = (
        "import resource, sys\n"
        "from djcli.cli.app import run\n"
        "code = run(sys.argv[1:])\n"
        "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))\n"
        "sys.exit(code)"
    )

    def peak(format_: str, *args: str) -> int:
        done = subprocess.run(
            [*BY_ITSELF, sys.executable, "-c", program, "show", "Many", "--format", format_, *args],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=True,
        )
        return int(done.stderr)

    for format_ in ("jsonl", "csv", "parquet")[: soak(1, 3)]:
        # in KB: as text the rows are 6 MB, as objects 20
        assert peak(format_) - peak(format_, "--limit", "1000") < 6_000


@pytest.mark.usefixtures("applied")
def test_a_reader_that_leaves_early(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO mixed.many SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i"
        )
    args = [sys.executable, "-m", "djcli.cli.main", "show", "Many", "--format", "jsonl"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"many": 1, "text": "x" * 100}
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 141
