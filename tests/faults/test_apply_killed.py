"""An apply that is killed, or interrupted, at any moment: the database is as before or as after, nothing between."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from migrating import assert_settled, edition, emptied, fresh_database, query

from djcli.catalog.introspect import load
from djcli.migration.apply import apply
from djcli.migration.planner import make_plan
from djcli.tables.declare import DECLARATION_LOCK
from djcli.tables.instance import Instance

BEFORE = {
    f"T{n}": "t : int32\n---\na : int32\nb = 'x' : enum('x','y')\nc : varchar(4)" for n in range(10)
} | {"Kind:lookup": ("kind : varchar(4)", [("k",)])}
AFTER = {
    f"T{n}": "t : int64\n---\na : int32\nb = 'y' : enum('z','y','x')\nc : varchar(8)\nd = 1 : int32\nindex(a)"
    for n in range(10)
} | {"Kind:lookup": ("kind : varchar(4)", [("k",), ("l",)])}

CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from migrating import edition
from djcli.migration.apply import apply
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance

instance = Instance(DatabaseTarget(sys.argv[2], "the test"))
use_instance(instance)
classes = edition(instance, json.loads(sys.argv[3]))
instance.connection.ping()
print("ready", flush=True)
apply(instance, classes)
"""


@pytest.fixture(scope="module")
def server(admin: psycopg.Connection, server_url: str, template_database: str) -> Iterator[str]:
    """Make a database."""
    with fresh_database(admin, server_url, template_database) as url:
        yield url


def everything(instance: Instance) -> dict[str, Any]:
    """Return all that the database has: tables, types, names, comments, rows, and how often it was applied."""
    catalog = load(instance.connection, ["lab"])
    return {
        "tables": dict(catalog.tables),
        "names": {t: (p.primary_key, p.foreign_keys, p.indexes) for t, p in catalog.physical.items()},
        "relations": catalog.relations,
        "enums": dict(catalog.enums),
        "rows": {
            table.name: sorted(query(instance, f'SELECT * FROM lab."{table.name}"'))
            for table in catalog.tables
            if not table.name.startswith("~djcli")
        },
        "history": query(instance, 'SELECT count(*) FROM lab."~djcli_history"'),
    }


def start_over(instance: Instance) -> None:
    """Declare and fill the first edition."""
    apply(instance, edition(instance, BEFORE))
    for n in range(10):
        query(instance, f"INSERT INTO lab.t{n} SELECT i, i, 'y', 'c' FROM generate_series(1, 200) i")


def run(url: str, kill: signal.Signals | None, after: float) -> float:
    """Run an apply in a process of its own, end it after a time, and return how long it ran."""
    args = [sys.executable, "-c", CHILD, str(Path(__file__).parents[1]), url, json.dumps(AFTER)]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        try:
            process.wait(None if kill is None else after)
        except subprocess.TimeoutExpired:
            assert kill is not None
            process.send_signal(kill)
            process.wait()
        return time.monotonic() - began


def test_a_killed_apply_leaves_the_old_or_the_new(server: str, soak: Callable[[int, int], int]) -> None:
    """Whenever it was killed; what is left to do is done by the next."""
    with emptied(server) as instance:
        start_over(instance)
        before = everything(instance)
        assert len(make_plan(instance, edition(instance, AFTER)).work) >= 40
        whole = run(server, None, 0)
        after = everything(instance)
        assert before != after
    dice = random.Random(4)
    moments = soak(5, 50)
    outcomes: list[bool] = []
    for number in range(moments):
        with emptied(server) as instance:
            start_over(instance)
            kill = signal.SIGKILL if number % 5 else signal.SIGINT
            # spread over the whole run, the end of it included, where the commit is
            run(server, kill, whole * (number + dice.random()) / moments)
            # the server notices that its client is gone when the statement at hand ends
            query(instance, f"SELECT pg_advisory_lock({DECLARATION_LOCK})")
            found = everything(instance)
            assert found in (before, after)
            outcomes.append(found == after)
            query(instance, f"SELECT pg_advisory_unlock({DECLARATION_LOCK})")
            classes = edition(instance, AFTER)
            apply(instance, classes)
            assert_settled(instance, classes)
    assert False in outcomes
