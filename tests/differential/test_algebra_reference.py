"""Random queries here and in DataJoint 2.3.5 on the same tables: the same heading, key and rows, or both refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from random_queries import Table, Tree, answer, build, random_tables
from random_trees import Trees

import djcli as dj
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance

REFERENCE = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
import datajoint as dj
from random_queries import answer

logging.disable(logging.CRITICAL)
dj.config["database.backend"] = "postgresql"
for name, value in json.loads(sys.argv[2]).items():
    dj.config["database." + name] = value
dj.config["safemode"] = False
tables = {}
for line in sys.stdin:
    told = json.loads(line)
    if told["do"] == "declare":
        schema = dj.Schema(told["schema"])
        tables = {}
        for name, definition in told["tables"]:
            cls = type(name, (dj.Manual,), {"definition": definition})
            tables[name] = schema(cls, context=dict(tables))
            tables[name]().heading.names
        reply = sorted(tables)
    else:
        reply = answer(dj, tables, told["tree"])
    print(json.dumps(reply), flush=True)
"""


class Reference:
    """The reference system in a process of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        options = conninfo_to_dict(url)
        database = {
            "host": options["host"],
            "port": int(options.get("port") or 5432),
            "user": options.get("user") or os.environ.get("USER", ""),
            "password": options.get("password") or "unused",
            "name": options["dbname"],
            "use_tls": False,
        }
        self.errors = (folder / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", REFERENCE, str(Path(__file__).parent), json.dumps(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=folder,
        )

    def ask(self, **told: Any) -> Any:
        """Send a request and return the reply."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(told), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            pytest.fail(self.errors.read())
        return json.loads(line)

    def declare(self, schema: str, tables: list[Table]) -> None:
        """Declare tables, or open those that are there."""
        self.ask(do="declare", schema=schema, tables=[(t.name, t.definition) for t in tables])


@pytest.fixture
def reference(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    """Start the reference system on the test's database."""
    running = Reference(database_url, tmp_path_factory.mktemp("reference"))
    with running.errors, running.process:
        yield running
        assert running.process.stdin is not None
        running.process.stdin.close()


@pytest.fixture
def instance(database_url: str) -> Iterator[None]:
    """Use the test's database."""
    made = Instance(DatabaseTarget(database_url, "the test"))
    use_instance(made)
    yield
    made.connection.close()
    use_instance(None)


def declare(schema: str, tables: list[Table]) -> dict[str, Any]:
    """Make our classes of the tables."""
    made = dj.Schema(schema)
    classes: dict[str, Any] = {}
    for table in tables:
        cls = type(table.name, (dj.Manual,), {"definition": table.definition})
        classes[table.name] = made(cls, context=classes)
    return classes


def walk(tree: Tree) -> Iterator[Tree]:
    """Yield a query and all queries and restrictions in it."""
    if tree and isinstance(tree[0], str):
        yield tree
    for item in tree:
        if isinstance(item, list):
            yield from walk(item)


def negated(tree: Tree) -> Iterator[Tree]:
    """Yield the restrictions that are negated, those in a negated list included."""
    waiting = [
        node[2] if node[0] == "minus" else node[1] for node in walk(tree) if node[0] in ("minus", "not")
    ]
    while waiting:
        node = waiting.pop()
        yield node
        if node[0] in ("list", "all"):
            waiting += node[1]


def trap(tree: Tree, ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Tell which known fault of the reference explains a difference; None for none."""
    error = theirs.get("error", "")
    if "error" in ours:
        return None
    if "lineage missing on one side (None vs None)" in error:
        return "`A & A` and `A * A` are refused: an attribute is homologous with itself"
    if error:
        return None if error.startswith("DataJointError") else "its SQL is refused by PostgreSQL"
    if (ours["names"], ours["key"]) != (theirs["names"], theirs["key"]):
        return None
    gone = list(negated(tree))
    if any(node[0] in ("dict", "all") and len(node[1]) > 1 for node in gone):
        return "`- {a, b}` negates only the first of several conditions: `NOT (a) AND (b)`"
    if any(node[0] not in ("dict", "all", "list", "sql", "bool", "not") for node in gone):
        return "anti-join by NOT IN: one NULL in the subquery and no row is left"
    under = [node for node in walk(tree) if node[0] in ("join", "left", "aggr", "group", "union", "distinct")]
    if any(inner[0] == "top" for node in under for inner in walk(node)):
        return "joins and aggregations forget the Top of an operand"
    if any(inner[0] in ("distinct", "union") for node in under for inner in walk(node) if inner is not node):
        return "joins and aggregations forget that an operand is distinct, or a union"
    outer = [
        node for node in walk(tree) if node[0] in ("left", "union") or (node[0] == "aggr" and not node[5])
    ]
    if any(inner[0] in ("and", "minus") for node in outer for inner in walk(node[2])):
        return "a restriction of a left join's right side also takes rows of the left"
    tops = [node for node in walk(tree) if node[0] == "top"]
    if any(inner[0] == "top" and node[3] for node in tops for inner in walk(node[1])):
        return "the offset of a second Top reaches rows beyond the first"
    return None


@pytest.mark.usefixtures("instance")
def test_random_queries(reference: Reference, soak: Callable[[int, int], int]) -> None:
    """Every difference is one of the known faults of the reference."""
    schemas, queries = soak(10, 60), soak(22, 40)
    traps: Counter[str] = Counter()
    total = agreed = refused = 0
    for seed in range(schemas):
        random = Random(seed)
        tables = random_tables(random)
        schema = f"random_{seed}"
        if seed % 2:
            reference.declare(schema, tables)
        classes = declare(schema, tables)
        for table in tables:
            classes[table.name].insert(table.rows)
        if not seed % 2:
            reference.declare(schema, tables)
        trees = Trees(random, dj, classes, build)
        for number in range(queries):
            tree = trees.query(random.randint(1, 5))
            ours, theirs = answer(dj, classes, tree), reference.ask(do="answer", tree=tree)
            total += 1
            if "error" in ours and "error" in theirs:
                refused += 1
            elif ours == theirs:
                agreed += 1
            else:
                name = trap(tree, ours, theirs)
                assert name is not None, f"schema {seed}, query {number}: {tree}\n{ours}\n{theirs}"
                traps[name] += 1
    told = f"{total} queries: {agreed} agree, {refused} refused by both, {dict(traps)}"
    assert agreed > total * 0.5, told
    assert refused < total * 0.25, told
