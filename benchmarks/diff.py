"""How long a diff of many tables takes, one of them large.

``python benchmarks/diff.py [rows [tables]]`` declares tables (200), puts rows (10 million) into the largest, and
prints how long plans take and how many statements: with nothing to do, with a change of every table, and with
changes that ask the rows of the largest.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import djcli as dj
from djcli.database.embedded import EmbeddedServer
from djcli.migration.apply import apply
from djcli.migration.plan import Options, Plan
from djcli.migration.planner import make_plan
from djcli.settings import DatabaseTarget
from djcli.tables.instance import Instance, use_instance
from djcli.tables.table import Table

ROUNDS = 5

LARGEST = "T0"
SECONDARY = """
    ---
    day : date              # when
    kind = 'a' : enum('a','b','c')
    weight = null : float64
    note : varchar(100)     # {note}
    done = false : bool
    count : int64
"""


def classes(tables: int, note: str = "what it is", **others: str) -> list[type[Table]]:
    """Make the classes: each refers to one declared before it, every fourth is computed, every fifth a lookup."""
    instance = Instance(DatabaseTarget(URL, "the benchmark"))
    use_instance(instance)
    schema = dj.Schema("bench")
    for number in range(tables):
        name = f"T{number}"
        parent = f"-> T{number // 3}\n" if number else ""
        secondary = others.get(name, SECONDARY.format(note=note))
        base = dj.Computed if number % 4 == 3 else dj.Lookup if number % 5 == 4 else dj.Manual
        own = "" if base is dj.Computed else f"    id{number} : int32\n"
        schema(type(name, (base,), {"definition": parent + own + secondary, "__module__": __name__}))
    return schema.tables


def measure(told: str, made: list[type[Table]], options: Options | None = None) -> Plan:
    """Plan several times, and print the median time and the number of statements."""
    instance = made[0].bound_schema().instance
    seen: list[str] = []
    instance.connection.observers.append(seen.append)
    times: list[float] = []
    plan = make_plan(instance, made, options)
    seen.clear()
    for _ in range(ROUNDS):
        started = time.perf_counter()
        plan = make_plan(instance, made, options)
        times.append(time.perf_counter() - started)
    sys.stdout.write(
        f"{told:<44}{statistics.median(times):>9.3f} s{len(seen) // ROUNDS:>8} statements"
        f"{len(plan.work):>6} changes\n"
    )
    instance.connection.close()
    return plan


def fill(rows: int) -> None:
    """Put rows into the largest table."""
    instance = Instance(DatabaseTarget(URL, "the benchmark"))
    instance.connection.query(
        'INSERT INTO bench.t0 (id0, "day", weight, note, "count") SELECT n, \'2024-01-01\', '
        f"CASE WHEN n < {rows} THEN n END, n::text, n FROM generate_series(1, {rows}) n"
    )
    instance.connection.query("ANALYZE bench.t0")
    instance.connection.close()


def main(rows: int = 10_000_000, tables: int = 200) -> None:
    """Print the times."""
    made = classes(tables)
    apply(made[0].bound_schema().instance, made)
    fill(rows)
    sys.stdout.write(f"{tables} tables, {rows:,} rows in the largest, medians of {ROUNDS}\n")
    measure("nothing to do", classes(tables))
    measure("the comment of an attribute of every table", classes(tables, note="what else it is"))
    gone = SECONDARY.format(note="what it is")
    for told, text in changes(gone):
        measure(f"the largest: {told}", classes(tables, **{LARGEST: text}))
    dropped = classes(tables, **{LARGEST: gone.replace("    count : int64\n", "")})
    measure("the largest: attribute removed, --exact", dropped, Options(exact=True))


def changes(before: str) -> Iterable[tuple[str, str]]:
    """Return editions of the largest table."""
    yield "attribute removed", before.replace("    count : int64\n", "")
    yield "null no longer, one row has it", before.replace("weight = null", "weight")
    yield "text to a number", before.replace("note : varchar(100)", "note : int32")
    yield "shorter text", before.replace("varchar(100)", "varchar(50)")
    yield "unique index", before + "    unique index (note)\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedServer(Path(folder) / ".djcli")
        server.start()
        URL = server.url()
        try:
            main(*map(int, sys.argv[1:]))
        finally:
            server.stop()
